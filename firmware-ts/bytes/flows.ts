import type { PcapPacket } from './pcap.ts';

/** One direction of a TCP connection, or the datagrams of one UDP sender to one receiver. */
export interface Flow {
  readonly transport: 'tcp' | 'udp';
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  /** `tcp 10.0.0.1:4712 > 10.0.0.2:50000`: the same for every piece of the flow. */
  readonly key: string;
}

/** What a receiver would have read, at the time of the packet that made it readable. */
export interface FlowPiece {
  readonly flow: Flow;
  readonly second: number;
  readonly nanosecond: number;
  /** A datagram, or the next bytes of the stream; a view into the capture. */
  readonly bytes: Uint8Array;
  /** Bytes of the flow lost between the piece before and this one. */
  readonly gap: number;
}

export interface FlowLimits {
  /** Early segments held for one direction before the missing one is given up. */
  readonly heldSegments: number;
  /** Directions followed at once; the one that was silent longest is forgotten. */
  readonly flows: number;
}

/** A receive window of 64 KiB holds 45 full segments; a capture of a field bus few dozen peers. */
const FLOW_LIMITS: FlowLimits = { heldSegments: 64, flows: 1024 };

/**
 * Pieces of every flow in reading order. TCP is put in sequence (RFC 9293, 3.4): repeated bytes are
 * dropped, early segments held within the limit; bytes that never came are reported as `gap`.
 * A stream whose beginning was not caught starts at its first segment here.
 */
export function* flows(
  packets: Iterable<PcapPacket>,
  limits: FlowLimits = FLOW_LIMITS,
): Generator<FlowPiece, void, undefined> {
  const directions = new Map<string, Direction>();
  for (const packet of packets) {
    const key = keyOf(packet);
    const direction = directions.get(key) ?? newDirection(packet, key);
    directions.delete(key); // and in again behind: the map's order is that of the last packets
    directions.set(key, direction);
    if (directions.size > limits.flows) yield* forgetOldest(directions);
    yield* packet.tcp === undefined
      ? datagram(direction, packet)
      : segment(direction, packet, limits);
  }
  for (const direction of directions.values()) yield* surrender(direction, 0);
}

/** As `flows`, TCP alone. */
export function* tcpStreams(
  packets: Iterable<PcapPacket>,
  limits: FlowLimits = FLOW_LIMITS,
): Generator<FlowPiece, void, undefined> {
  for (const piece of flows(packets, limits)) if (piece.flow.transport === 'tcp') yield piece;
}

interface Segment {
  readonly sequence: number;
  readonly packet: PcapPacket;
}

interface Direction {
  readonly flow: Flow;
  /** Sequence number of the next byte; `undefined` before the first segment. */
  expected: number | undefined;
  /** Bytes known to be lost since the piece before. */
  gap: number;
  /** Its time is that of whatever becomes readable by it. */
  latest: PcapPacket;
  readonly held: Segment[];
}

function keyOf(packet: PcapPacket): string {
  const { transport, sourceAddress, sourcePort, destinationAddress, destinationPort } = packet;
  const to = at(destinationAddress, destinationPort);
  return `${transport} ${at(sourceAddress, sourcePort)} > ${to}`;
}

function at(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function newDirection(packet: PcapPacket, key: string): Direction {
  const { transport, sourceAddress, sourcePort, destinationAddress, destinationPort } = packet;
  return {
    flow: { transport, sourceAddress, sourcePort, destinationAddress, destinationPort, key },
    expected: undefined,
    gap: 0,
    latest: packet,
    held: [],
  };
}

function* forgetOldest(directions: Map<string, Direction>): Generator<FlowPiece> {
  for (const [key, direction] of directions) {
    yield* surrender(direction, 0);
    directions.delete(key);
    return;
  }
}

function* datagram(direction: Direction, packet: PcapPacket): Generator<FlowPiece> {
  direction.latest = packet;
  yield piece(direction, packet.payload);
  direction.gap = packet.missing;
}

function* segment(
  direction: Direction,
  packet: PcapPacket,
  limits: FlowLimits,
): Generator<FlowPiece> {
  const { sequence, syn } = packet.tcp ?? { sequence: 0, syn: false };
  const first = syn ? (sequence + 1) >>> 0 : sequence;
  if (syn && !repeatsOpening(direction, first)) {
    yield* surrender(direction, 0); // the ports may have served an earlier connection
    direction.expected = first;
    direction.gap = 0;
  }
  direction.expected ??= first;
  direction.latest = packet;
  if (packet.payload.length + packet.missing === 0) return;
  hold(direction, { sequence: first, packet });
  yield* inOrder(direction);
  yield* surrender(direction, limits.heldSegments);
}

/** A SYN sent again lies a little before the next byte; that of a new connection anywhere. */
const REPEATED_OPENING_WITHIN = 0x1_0000;

function repeatsOpening({ expected }: Direction, first: number): boolean {
  if (expected === undefined) return false;
  const distance = after(expected, first);
  return distance >= 0 && distance < REPEATED_OPENING_WITHIN;
}

/** Keeps what is held in sequence order; the list is short by its limit. */
function hold(direction: Direction, added: Segment): void {
  const { held } = direction;
  let index = held.length;
  while (index > 0 && after(added.sequence, held[index - 1]?.sequence ?? 0) < 0) index -= 1;
  held.splice(index, 0, added);
}

/** Gives out held segments as far as the sequence is without a hole. */
function* inOrder(direction: Direction): Generator<FlowPiece> {
  for (;;) {
    const [next] = direction.held;
    const expected = direction.expected ?? 0;
    if (next === undefined || after(next.sequence, expected) > 0) return;
    direction.held.shift();
    const known = after(expected, next.sequence);
    const { payload, missing } = next.packet;
    if (known >= payload.length + missing) continue;
    direction.expected = (next.sequence + payload.length + missing) >>> 0;
    const fresh = payload.subarray(Math.min(known, payload.length));
    if (fresh.length > 0) yield piece(direction, fresh);
    direction.gap += missing - Math.max(0, known - payload.length);
  }
}

/** Steps over holes until no more than `keep` segments are held. */
function* surrender(direction: Direction, keep: number): Generator<FlowPiece> {
  while (direction.held.length > keep) {
    const expected = direction.expected ?? 0;
    const sequence = direction.held[0]?.sequence ?? expected;
    direction.gap += Math.max(0, after(sequence, expected));
    direction.expected = sequence;
    yield* inOrder(direction);
  }
}

function piece(direction: Direction, bytes: Uint8Array): FlowPiece {
  const { flow, gap, latest } = direction;
  const { second, nanosecond } = latest;
  direction.gap = 0;
  return { flow, second, nanosecond, bytes, gap };
}

/** How far sequence number `a` lies after `b`, modulo 2^32 (RFC 9293, 3.4). */
function after(a: number, b: number): number {
  return (a - b) | 0;
}
