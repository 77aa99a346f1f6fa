import { createConnection } from 'node:net';
import { OperatingError } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Link } from './link.ts';
import type { LinkPorts } from './mending.ts';
import {
  bareHost,
  endSocket,
  endpointText,
  sendBounded,
  tuneSocket,
  whenClosed,
} from './socket.ts';
import type { Carrier, CarrierOwner } from './stream.ts';
import { clientLink } from './stream.ts';

export interface TcpClientOptions {
  readonly kind: 'tcp';
  /** A name, an IPv4 or an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** A device behind a mobile network answers in seconds, one that is off never. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Each address of a name gets this long; Node's own 250 ms is less than mobile networks take. */
const ADDRESS_TIMEOUT_MS = 2500;

/** A connection to a device that listens. */
export function tcpClient(options: TcpClientOptions, ports: LinkPorts): Link {
  return clientLink((owner) => connect(options, ports.clock, owner), ports);
}

function connect(
  { host, port }: TcpClientOptions,
  clock: Clock,
  owner: CarrierOwner,
): Omit<Carrier, 'peer'> {
  const peer = endpointText(host, port);
  const socket = createConnection({
    host: bareHost(host),
    port,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  });
  const answered = clock.after(CONNECT_TIMEOUT_MS, () => socket.destroy(timedOut()));
  socket.once('connect', () => {
    answered();
    tuneSocket(socket);
    owner.opened(peer);
  });
  socket.on('data', (bytes: Uint8Array) => owner.chunk(bytes));
  whenClosed(socket, peer, (failure) => {
    answered();
    owner.ended(failure);
  });
  return {
    send: (bytes) => sendBounded(socket, bytes),
    end: () => endSocket(socket, clock),
  };
}

function timedOut(): OperatingError {
  return new OperatingError('timed-out', `no answer in ${CONNECT_TIMEOUT_MS / 1000} s`, {
    hint: 'check address, cable and firewall',
  });
}
