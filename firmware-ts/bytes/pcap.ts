import { OperatingError } from './failure.ts';
import type { Datagram } from './datagram.ts';
import { LINK_TYPES, datagramOf } from './datagram.ts';

/** One TCP segment or UDP datagram of a capture, with the time at which it was caught. */
export interface PcapPacket extends Datagram {
  /** Place of its record in the capture, from 1, as capture tools count. */
  readonly number: number;
  /** Seconds since 1970-01-01T00:00:00Z and nanoseconds within; the capturing machine's clock. */
  readonly second: number;
  readonly nanosecond: number;
}

/**
 * The TCP and UDP packets of a capture file in its order: classic pcap in both byte orders with
 * micro- or nanoseconds (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng). Packets of
 * other kinds are left out. Payloads are views into `bytes`.
 * Errors: `not-a-capture`, `unsupported-link-type`, `bad-block`, `truncated`; packets before a
 * damaged record have then already been given.
 */
export function* readPcap(bytes: Uint8Array): Generator<PcapPacket, void, undefined> {
  let number = 0;
  for (const record of recordsOf(bytes)) {
    number += 1;
    const datagram = datagramOf(record.linkType, bytes, record.start, record.end);
    if (datagram === undefined) continue;
    yield { number, second: record.second, nanosecond: record.nanosecond, ...datagram };
  }
}

/** True where `bytes` begin like a capture file that `readPcap` reads. */
export function isPcap(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const magic = viewOf(bytes).getUint32(0);
  return magic === SECTION_HEADER || CLASSIC_MAGICS.has(magic);
}

interface CaptureRecord {
  readonly linkType: number;
  readonly second: number;
  readonly nanosecond: number;
  readonly start: number;
  readonly end: number;
}

/** First four bytes of a classic file, read big-endian: its byte order and unit of time. */
const CLASSIC_MAGICS: ReadonlyMap<number, { littleEndian: boolean; nanoseconds: number }> = new Map(
  [
    [0xa1b2c3d4, { littleEndian: false, nanoseconds: 1000 }],
    [0xd4c3b2a1, { littleEndian: true, nanoseconds: 1000 }],
    [0xa1b23c4d, { littleEndian: false, nanoseconds: 1 }],
    [0x4d3cb2a1, { littleEndian: true, nanoseconds: 1 }],
  ],
);

function recordsOf(bytes: Uint8Array): Iterable<CaptureRecord> {
  const view = viewOf(bytes);
  need(bytes, 0, 4, 'magic');
  const magic = view.getUint32(0);
  if (magic === SECTION_HEADER) return nextGenerationRecords(bytes, view);
  const classic = CLASSIC_MAGICS.get(magic);
  if (classic === undefined) {
    throw new OperatingError('not-a-capture', 'neither pcap nor pcapng', { offset: 0 });
  }
  return classicRecords(bytes, view, classic.littleEndian, classic.nanoseconds);
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

function* classicRecords(
  bytes: Uint8Array,
  view: DataView,
  littleEndian: boolean,
  nanoseconds: number,
): Generator<CaptureRecord> {
  need(bytes, 0, FILE_HEADER_BYTES, 'file header');
  // The upper half of the field holds flags about frame check sequences.
  const linkType = supported(view.getUint32(20, littleEndian) & 0xffff, 20);
  for (let offset = FILE_HEADER_BYTES; offset < bytes.length;) {
    need(bytes, offset, RECORD_HEADER_BYTES, 'record header');
    const second = view.getUint32(offset, littleEndian);
    const nanosecond = view.getUint32(offset + 4, littleEndian) * nanoseconds;
    const length = view.getUint32(offset + 8, littleEndian);
    const start = offset + RECORD_HEADER_BYTES;
    need(bytes, start, length, 'record');
    yield { linkType, second, nanosecond, start, end: start + length };
    offset = start + length;
  }
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length before a block's body, the length again after it. */
const BLOCK_OVERHEAD_BYTES = 12;

interface Interface {
  readonly linkType: number;
  readonly ticksPerSecond: bigint;
  readonly offsetSeconds: number;
}

interface Block {
  readonly type: number;
  /** Where its body begins and ends. */
  readonly start: number;
  readonly end: number;
  readonly littleEndian: boolean;
}

function* nextGenerationRecords(bytes: Uint8Array, view: DataView): Generator<CaptureRecord> {
  let littleEndian = false;
  let interfaces: Interface[] = [];
  for (let offset = 0; offset < bytes.length;) {
    need(bytes, offset, BLOCK_OVERHEAD_BYTES, 'block');
    if (view.getUint32(offset) === SECTION_HEADER) {
      littleEndian = view.getUint32(offset + 8) !== BYTE_ORDER_MAGIC;
      interfaces = [];
    }
    const block = blockAt(bytes, view, offset, littleEndian);
    if (block.type === INTERFACE_DESCRIPTION) interfaces.push(interfaceOf(bytes, view, block));
    const record = packetOf(bytes, view, block, interfaces);
    if (record !== undefined) yield record;
    offset = block.end + 4;
  }
}

function blockAt(bytes: Uint8Array, view: DataView, offset: number, littleEndian: boolean): Block {
  const length = view.getUint32(offset + 4, littleEndian);
  if (length < BLOCK_OVERHEAD_BYTES || length % 4 !== 0) {
    throw new OperatingError('bad-block', `block of ${length} bytes`, { offset: offset + 4 });
  }
  need(bytes, offset, length, 'block');
  const type = view.getUint32(offset, littleEndian);
  return { type, start: offset + 8, end: offset + length - 4, littleEndian };
}

const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;

/** draft-ietf-opsawg-pcapng, 4.2; microseconds unless an option says otherwise. */
function interfaceOf(bytes: Uint8Array, view: DataView, block: Block): Interface {
  const { start, end, littleEndian } = block;
  needIn(bytes, start, 8, end);
  let ticksPerSecond = 1_000_000n;
  let offsetSeconds = 0;
  for (let offset = start + 8; offset + 4 <= end;) {
    const option = view.getUint16(offset, littleEndian);
    const length = view.getUint16(offset + 2, littleEndian);
    needIn(bytes, offset + 4, length, end);
    if (option === OPTION_TIME_RESOLUTION && length === 1) {
      const resolution = view.getUint8(offset + 4);
      const base = (resolution & 0x80) === 0 ? 10n : 2n;
      ticksPerSecond = base ** BigInt(resolution & 0x7f);
    } else if (option === OPTION_TIME_OFFSET && length === 8) {
      offsetSeconds = Number(view.getBigInt64(offset + 4, littleEndian));
    }
    offset += 4 + length + ((4 - (length % 4)) % 4);
  }
  const linkType = supported(view.getUint16(start, littleEndian), start);
  return { linkType, ticksPerSecond, offsetSeconds };
}

function packetOf(
  bytes: Uint8Array,
  view: DataView,
  block: Block,
  interfaces: readonly Interface[],
): CaptureRecord | undefined {
  if (block.type === ENHANCED_PACKET) return enhancedPacket(bytes, view, block, interfaces);
  const first = interfaces[0];
  if (block.type !== SIMPLE_PACKET || first === undefined) return undefined;
  // It has no time of its own (4.4) and ends where the packet or the snapshot length ended.
  needIn(bytes, block.start, 4, block.end);
  const length = view.getUint32(block.start, block.littleEndian);
  const start = block.start + 4;
  const end = Math.min(block.end, start + length);
  return { linkType: first.linkType, second: 0, nanosecond: 0, start, end };
}

/** draft-ietf-opsawg-pcapng, 4.3. */
function enhancedPacket(
  bytes: Uint8Array,
  view: DataView,
  block: Block,
  interfaces: readonly Interface[],
): CaptureRecord {
  const { littleEndian, end } = block;
  needIn(bytes, block.start, 20, end);
  const from = interfaces[view.getUint32(block.start, littleEndian)];
  if (from === undefined) {
    throw new OperatingError('bad-block', 'packet of an unknown interface', {
      offset: block.start,
    });
  }
  const high = BigInt(view.getUint32(block.start + 4, littleEndian));
  const ticks = (high << 32n) | BigInt(view.getUint32(block.start + 8, littleEndian));
  const length = view.getUint32(block.start + 12, littleEndian);
  const start = block.start + 20;
  needIn(bytes, start, length, end);
  const second = ticks / from.ticksPerSecond;
  const rest = ticks - second * from.ticksPerSecond;
  return {
    linkType: from.linkType,
    second: Number(second) + from.offsetSeconds,
    nanosecond: Number((rest * 1_000_000_000n) / from.ticksPerSecond),
    start,
    end: start + length,
  };
}

function supported(linkType: number, offset: number): number {
  if (LINK_TYPES.has(linkType)) return linkType;
  throw new OperatingError('unsupported-link-type', `link type ${linkType}`, {
    offset,
    field: 'network',
    hint: 'capture on an Ethernet, loopback or raw IP interface',
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function need(bytes: Uint8Array, offset: number, length: number, field: string): void {
  if (offset + length <= bytes.length) return;
  throw new OperatingError(
    'truncated',
    `${field} needs ${length} bytes, ${bytes.length - offset} are left`,
    { offset, field },
  );
}

/** What a block claims to hold must lie inside the block. */
function needIn(bytes: Uint8Array, offset: number, length: number, end: number): void {
  need(bytes, offset, length, 'block');
  if (offset + length <= end) return;
  throw new OperatingError('bad-block', 'a field reaches past its block', { offset });
}
