import type { Socket } from 'node:net';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';

/** Loopback unless told otherwise: no port listens towards the network by itself. */
export const LISTEN_ADDRESS = '127.0.0.1';

/** A peer that leaves so much unread has stopped reading; no request is a hundredth of it. */
const SEND_BUFFER_BYTES_MAX = 1 << 20;

/** A peer without a word for so long is asked whether it is still there. */
const KEEP_ALIVE_MS = 30_000;

/** How long a farewell may take to get out. */
const FAREWELL_MS = 1000;

/** `127.0.0.1:4712`, `[::1]:4712`. */
export function endpointText(host: string, port: number): string {
  const bare = bareHost(host);
  return bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`;
}

/** An IPv6 address may be written in brackets, as in a URL. */
export function bareHost(host: string): string {
  return /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
}

/** Requests of a few bytes must not wait for company, and a dead peer must be noticed. */
export function tuneSocket(socket: Socket): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
}

/** Sends, or ends a connection whose peer has stopped reading (`send-buffer-full`). */
export function sendBounded(socket: Socket, bytes: Uint8Array): void {
  if (socket.writableLength + bytes.length <= SEND_BUFFER_BYTES_MAX) socket.write(bytes);
  else socket.destroy(sendBufferFull(socket.writableLength));
}

export function sendBufferFull(waitingBytes: number): OperatingError {
  return new OperatingError('send-buffer-full', `${waitingBytes} bytes sent were never taken`, {
    hint: 'the device does not read: check that it is the right port and not flow-controlled',
  });
}

/** Ends a connection once what was sent has gone out, or has had its time. */
export function endSocket(socket: Socket, clock: Clock): void {
  if (socket.connecting) {
    socket.destroy();
    return;
  }
  const cancel = clock.after(FAREWELL_MS, () => socket.destroy());
  socket.once('close', cancel);
  socket.destroySoon();
}

/** Calls `ended` once, when the connection is gone, with the reason as far as it is known. */
export function whenClosed(socket: Socket, peer: string, ended: (failure: Failure) => void): void {
  const message = `${peer} has closed the connection`;
  let failure: Failure = { code: 'connection-closed', message };
  socket.once('error', (error) => {
    failure = socketFailure(error, peer);
  });
  socket.once('close', () => ended(failure));
}

/** What the operating system's error names mean for somebody at the device (errno(3)). */
const KNOWN: Readonly<Record<string, readonly [code: string, says: string, hint: string]>> = {
  ECONNREFUSED: [
    'connection-refused',
    'nothing listens there',
    'check the port number, and that the device allows one more client',
  ],
  ECONNRESET: ['connection-reset', 'the peer broke the connection off', 'the device restarted?'],
  EPIPE: ['connection-reset', 'the peer broke the connection off', 'the device restarted?'],
  ETIMEDOUT: ['timed-out', 'no answer', 'check address, cable and firewall'],
  EHOSTUNREACH: ['unreachable', 'no way to this host', 'check address, cable and route'],
  ENETUNREACH: ['unreachable', 'no way to this network', 'check cable, address and route'],
  EHOSTDOWN: ['unreachable', 'this host is down', 'check that the device has power'],
  ENOTFOUND: ['name-not-resolved', 'no such name', 'check the spelling, or give the IP address'],
  EAI_AGAIN: ['name-not-resolved', 'the name server does not answer', 'give the IP address'],
  EADDRINUSE: ['address-in-use', 'another program holds this port', 'see `ss -lntup`'],
  EADDRNOTAVAIL: [
    'no-such-address',
    'this machine does not have that address',
    'see `ip address`; 0.0.0.0 or :: is every address',
  ],
  EACCES: ['permission-denied', 'not allowed', 'ports under 1024 need CAP_NET_BIND_SERVICE'],
  EPERM: ['permission-denied', 'not allowed', 'a firewall rule of this machine forbids it'],
  EMSGSIZE: ['too-long', 'longer than a datagram can be', 'use TCP'],
};

/** The failure behind an error of a socket; its own are passed through. */
export function socketFailure(error: Error, peer: string): Failure {
  if (error instanceof OperatingError) return placed(error, peer);
  const known = 'code' in error ? KNOWN[String(error.code)] : undefined;
  if (known === undefined) {
    return { code: 'link-failed', message: `${peer}: ${error.message}`, hint: 'see the message' };
  }
  const [code, says, hint] = known;
  return { code, message: `${peer}: ${says}`, hint };
}

/** A failure of our own, with the peer or port that it is about. */
export function placed(error: OperatingError, place: string): Failure {
  return { ...failureOf(error), message: `${place}: ${error.message}` };
}
