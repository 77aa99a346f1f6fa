import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { bytesFromUtf8, utf8FromBytes } from '#bytes/text.ts';
import type { Observation, Quality, RawValue, Reading, TimeMark } from './reading.ts';
import { QUALITIES } from './reading.ts';

/**
 * The form in which an observation lies in the local raw store; it holds all of it, exactly.
 *
 * | field    | octets | meaning                                                     |
 * | -------- | ------ | ----------------------------------------------------------- |
 * | version  | 1      | 1; an unknown one is refused, a known one is read for ever  |
 * | source   | text   | count of octets as a number, then UTF-8                     |
 * | time     | 10…    | see `writeTime`                                             |
 * | quality  | number | one bit for each of `QUALITIES`, in its order               |
 * | readings | number | their count, then each as `writeReading` has it             |
 *
 * A "number" is unsigned, seven bits an octet, least first, the high bit saying "more".
 */
const VERSION = 1;

/** Errors: `unencodable`, with the field where a time is no count of seconds. */
export function encodeStored(observation: Observation): Uint8Array {
  const writer = new Writer(64 + observation.readings.length * 32);
  writer.u8(VERSION);
  writeText(writer, observation.source);
  writeTime(writer, observation.time);
  writeNumber(writer, bitsOf(observation.quality));
  writeNumber(writer, observation.readings.length);
  for (const reading of observation.readings) writeReading(writer, reading);
  return writer.finish();
}

/**
 * Errors: `truncated`, `trailing-bytes`, `bad-stored-form` (with the field), and
 * `unsupported-version` for a form of a later normd.
 */
export function decodeStored(bytes: Uint8Array): Observation {
  const reader = new Reader(bytes);
  const version = reader.u8('version');
  if (version !== VERSION) {
    throw new OperatingError('unsupported-version', `version ${version}`, { offset: 0 });
  }
  const source = readText(reader, 'source');
  const time = readTime(reader);
  const quality = readQuality(reader);
  const count = readNumber(reader, 'readings');
  if (count > reader.remaining) bad(reader, 'readings');
  const readings: Reading[] = [];
  for (let index = 0; index < count; index += 1) readings.push(readReading(reader));
  if (reader.remaining > 0) {
    throw new OperatingError('trailing-bytes', 'after the readings', { offset: reader.offset });
  }
  return { source, time, quality, readings };
}

const FLAG = { time: 0x80, quality: 0x40 } as const;
const KIND = {
  integer: 0,
  bigint: 1,
  float: 2,
  text: 3,
  false: 4,
  true: 5,
  bytes: 6,
  single: 7,
} as const;

/** Octet of kind and flags, scaler (signed octet), object, unit, value, then time and quality. */
function writeReading(writer: Writer, reading: Reading): void {
  const { raw, time, quality } = reading;
  const kind = kindOf(raw);
  const flags = (time === undefined ? 0 : FLAG.time) | (quality === undefined ? 0 : FLAG.quality);
  writer.u8(kind | flags).u8(reading.scaler & 0xff);
  writeText(writer, reading.object);
  writeText(writer, reading.unit);
  writeValue(writer, kind, raw);
  if (time !== undefined) writeTime(writer, time);
  if (quality !== undefined) writeNumber(writer, bitsOf(quality));
}

function readReading(reader: Reader): Reading {
  const lead = reader.u8('kind');
  const scaler = reader.i8('scaler');
  const object = readText(reader, 'object');
  const unit = readText(reader, 'unit');
  const raw = readValue(reader, lead & ~(FLAG.time | FLAG.quality));
  return {
    object,
    raw,
    scaler,
    unit,
    ...((lead & FLAG.time) === 0 ? {} : { time: readTime(reader) }),
    ...((lead & FLAG.quality) === 0 ? {} : { quality: readQuality(reader) }),
  };
}

function kindOf(raw: RawValue): number {
  switch (typeof raw) {
    case 'bigint':
      return KIND.bigint;
    case 'boolean':
      return raw ? KIND.true : KIND.false;
    case 'string':
      return KIND.text;
    case 'number':
      if (Number.isSafeInteger(raw) && !Object.is(raw, -0)) return KIND.integer;
      return Object.is(Math.fround(raw), raw) ? KIND.single : KIND.float;
    default:
      return KIND.bytes;
  }
}

function writeValue(writer: Writer, kind: number, raw: RawValue): void {
  if (typeof raw === 'bigint') {
    if (BigInt.asIntN(65, raw) !== raw) throw new OperatingError('unencodable', 'over 64 bits');
    writer.u8(raw < 0n ? 1 : 0).u64(raw < 0n ? -1n - raw : raw);
  } else if (typeof raw === 'string') writeText(writer, raw);
  else if (raw instanceof Uint8Array) {
    writeNumber(writer, raw.length);
    writer.bytes(raw);
  } else if (kind === KIND.single) writer.f32(Number(raw));
  else if (kind === KIND.float) writer.f64(Number(raw));
  else if (kind === KIND.integer) {
    // Zigzag: small negative numbers stay short.
    const number = Number(raw);
    writeBig(writer, number < 0 ? -1n - 2n * BigInt(number) : 2n * BigInt(number));
  }
}

function readValue(reader: Reader, kind: number): RawValue {
  switch (kind) {
    case KIND.integer:
      return readInteger(reader);
    case KIND.bigint: {
      const negative = reader.u8('raw') === 1;
      const magnitude = reader.u64('raw');
      return negative ? -1n - magnitude : magnitude;
    }
    case KIND.single:
      return reader.f32('raw');
    case KIND.float:
      return reader.f64('raw');
    case KIND.text:
      return readText(reader, 'raw');
    case KIND.false:
    case KIND.true:
      return kind === KIND.true;
    case KIND.bytes:
      return reader.take(readNumber(reader, 'raw'), 'raw').slice();
    default:
      return bad(reader, 'kind');
  }
}

const CLOCKS = ['device', 'gateway'] as const;
const TRUSTS = ['trusted', 'untrusted', 'unknown'] as const;
const TIME_FLAG = { leapSecond: 0x10, localOffset: 0x20 } as const;

/** Octet of clock, trust and flags; seconds (i64), nanoseconds (u32), local offset (i16). */
function writeTime(writer: Writer, time: TimeMark): void {
  const { second, localOffsetMin } = time;
  if (!Number.isSafeInteger(second)) {
    throw new OperatingError('unencodable', 'not a whole second', { field: 'second' });
  }
  const words = CLOCKS.indexOf(time.clock) | (TRUSTS.indexOf(time.trust) << 1);
  const leap = time.leapSecond === true ? TIME_FLAG.leapSecond : 0;
  writer.u8(words | leap | (localOffsetMin === undefined ? 0 : TIME_FLAG.localOffset));
  writer.u64(BigInt.asUintN(64, BigInt(second))).u32(time.nanosecond);
  if (localOffsetMin !== undefined) writer.u16(localOffsetMin & 0xffff);
}

function readTime(reader: Reader): TimeMark {
  const lead = reader.u8('time');
  const clock = CLOCKS[lead & 1];
  const trust = TRUSTS[(lead >>> 1) & 7];
  if (clock === undefined || trust === undefined) return bad(reader, 'time');
  const second = Number(reader.i64('second'));
  const nanosecond = reader.u32('nanosecond');
  const local = (lead & TIME_FLAG.localOffset) === 0 ? undefined : reader.i16('localOffsetMin');
  return {
    second,
    nanosecond,
    clock,
    trust,
    ...((lead & TIME_FLAG.leapSecond) === 0 ? {} : { leapSecond: true }),
    ...(local === undefined ? {} : { localOffsetMin: local }),
  };
}

function bitsOf(quality: readonly Quality[]): number {
  return quality.reduce((bits, mark) => bits | (1 << QUALITIES.indexOf(mark)), 0);
}

function readQuality(reader: Reader): readonly Quality[] {
  const bits = readNumber(reader, 'quality');
  if (bits >= 1 << QUALITIES.length) return bad(reader, 'quality');
  return QUALITIES.filter((_, index) => (bits & (1 << index)) !== 0);
}

function writeText(writer: Writer, text: string): void {
  const bytes = bytesFromUtf8(text);
  writeNumber(writer, bytes.length);
  writer.bytes(bytes);
}

function readText(reader: Reader, field: string): string {
  return utf8FromBytes(reader.take(readNumber(reader, field), field));
}

function writeNumber(writer: Writer, value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) writer.u8((rest & 0x7f) | 0x80);
  writer.u8(rest);
}

/** At most 28 bits: no length or count in this form is larger. */
function readNumber(reader: Reader, field: string): number {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const octet = reader.u8(field);
    value |= (octet & 0x7f) << shift;
    if (octet < 0x80) return value;
  }
  return bad(reader, field);
}

function writeBig(writer: Writer, value: bigint): void {
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) writer.u8(Number(rest & 0x7fn) | 0x80);
  writer.u8(Number(rest));
}

function readInteger(reader: Reader): number {
  let value = 0n;
  for (let shift = 0n; shift < 63n; shift += 7n) {
    const octet = reader.u8('raw');
    value |= BigInt(octet & 0x7f) << shift;
    if (octet >= 0x80) continue;
    const number = Number((value & 1n) === 0n ? value >> 1n : -1n - (value >> 1n));
    return Number.isSafeInteger(number) ? number : bad(reader, 'raw');
  }
  return bad(reader, 'raw');
}

function bad(reader: Reader, field: string): never {
  throw new OperatingError('bad-stored-form', field, { offset: reader.offset, field });
}
