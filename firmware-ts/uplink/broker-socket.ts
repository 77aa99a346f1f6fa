import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { IncomingBudget } from './incoming-budget.ts';
import { PacketWatch } from './packet-watch.ts';
import { PubackReasons } from './puback-reasons.ts';
import type { Dialing, Target, Traffic } from './session.ts';
import { Unread } from './unread.ts';

/**
 * Of several addresses each is tried for so long, the last without end. Node's quarter of a second
 * is less than a round trip over a satellite or a sleepy cell, where none would ever be reached.
 */
const ADDRESS_TRY_MS = 3000;

/** What a connection waits for: an address, a way there, and then for what the broker says. */
export type Stage = 'name' | 'way' | 'broker';

/**
 * PUBREC and PUBCOMP, of which the client takes the second for an acknowledgement of any message:
 * they answer QoS 2, which is never sent (MQTT 5.0, 4.3.3).
 */
const NEVER_ASKED: ReadonlySet<number> = new Set([5, 7]);

export type Flood = 'size' | 'number' | 'unread';

export interface BrokerSocket {
  /** What MQTT is spoken on. */
  readonly stream: Socket;
  /** Counted where bytes are paid for: TLS included, TCP and IP not; good also after the end. */
  readonly traffic: () => Traffic;
  readonly stage: () => Stage;
  readonly pubackReasons: PubackReasons;
  /** A message has been sent, which the broker answers. */
  readonly asked: () => void;
}

export interface SocketOptions {
  readonly incomingBytesMax: number;
  /**
   * Called once a packet of more than `incomingBytesMax` is announced, since the client gathers any
   * packet whole before it looks, more packets come than we can have asked for, or they come while
   * nothing of ours is read.
   */
  readonly flooded: (by: Flood) => void;
  /** Called before the client reads a packet that answers nothing of ours. */
  readonly unasked: (type: number) => void;
  /** The machine's unless given. */
  readonly lookup: LookupFunction | undefined;
}

/** Begins to connect; failures are events of the stream. */
export function openSocket(dialing: Dialing, options: SocketOptions): BrokerSocket {
  const { incomingBytesMax, flooded, unasked, lookup } = options;
  const tcp = openTcp(dialing, lookup);
  const stream = dialing.target.secure ? secured(tcp, dialing) : tcp;
  const pubackReasons = new PubackReasons();
  const budget = new IncomingBudget();
  const unread = new Unread(stream);
  let by: Flood = 'size';
  const watch = new PacketWatch(incomingBytesMax, {
    begun(type, bytes) {
      if (!budget.takes(type, bytes, performance.now())) by = 'number';
      else if (unread.isTooMuch) by = 'unread';
      return by === 'size';
    },
    passed(type, at, bytes) {
      if (NEVER_ASKED.has(type)) unasked(type);
      pubackReasons.pass(type, at, bytes);
    },
  });
  // Before the client, which listens later and gets the same bytes.
  stream.on('data', (bytes: Uint8Array) => {
    if (!watch.push(bytes)) flooded(by);
  });
  const traffic = (): Traffic => ({ bytesRead: tcp.bytesRead, bytesWritten: tcp.bytesWritten });
  const stage = stageOf(tcp, dialing.target);
  return { stream, traffic, stage, pubackReasons, asked: () => budget.asked() };
}

function openTcp({ target: { host, port } }: Dialing, lookup: LookupFunction | undefined): Socket {
  return connectTcp({
    host,
    port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TRY_MS,
    // Small messages at once: with Nagle's delay an acknowledgement takes 40 ms instead of one.
    noDelay: true,
    ...(lookup === undefined ? {} : { lookup }),
  });
}

function stageOf(tcp: Socket, { host }: Target): () => Stage {
  let stage: Stage = isIP(host) === 0 ? 'name' : 'way';
  tcp.once('lookup', () => (stage = 'way'));
  tcp.once('connect', () => (stage = 'broker'));
  return () => stage;
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
