import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { PacketWatch } from './packet-watch.ts';
import type { Dialing, Traffic } from './session.ts';

export interface BrokerSocket {
  /** What MQTT is spoken on. */
  readonly stream: Socket;
  /** Counted where bytes are paid for: TLS included, TCP and IP not; good also after the end. */
  readonly traffic: () => Traffic;
}

/**
 * Begins to connect; failures are events of the stream. `flooded` is called once a packet of more
 * than `incomingBytesMax` is announced: the client gathers any packet whole before it looks.
 */
export function openSocket(
  dialing: Dialing,
  incomingBytesMax: number,
  flooded: () => void,
): BrokerSocket {
  const { host, port } = dialing.target;
  // Small messages at once: with Nagle's delay an acknowledgement takes 40 ms instead of one.
  const tcp = connectTcp({ host, port }).setNoDelay(true);
  const stream = dialing.target.secure ? secured(tcp, dialing) : tcp;
  const watch = new PacketWatch(incomingBytesMax);
  stream.on('data', (bytes: Uint8Array) => {
    if (!watch.push(bytes)) flooded();
  });
  const traffic = (): Traffic => ({ bytesRead: tcp.bytesRead, bytesWritten: tcp.bytesWritten });
  return { stream, traffic };
}

function secured(socket: Socket, { target, credentials }: Dialing): Socket {
  const { host } = target;
  return connectTls({
    socket,
    host,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // A server name is never an address (RFC 6066, 3).
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(credentials === undefined
      ? {}
      : { key: credentials.key, cert: credentials.certificate, ca: [...credentials.anchors] }),
  });
}
