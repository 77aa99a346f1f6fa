import type { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { bytesFromUtf8, utf8FromBytes } from '#bytes/text.ts';
import { Decimal } from './senml-decimal.ts';

/**
 * The part of CBOR (RFC 8949) that SenML needs: definite lengths, integers, decimal fractions,
 * floats, strings and arrays and maps of them. Major types are those of RFC 8949, 3.1.
 */
export type CborValue =
  | number
  | bigint
  | Decimal
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>;

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const;
const TAG_DECIMAL = 4; // RFC 8949, 3.4.4
const SIMPLE = { false: 0xf4, true: 0xf5, null: 0xf6, f16: 0xf9, f32: 0xfa, f64: 0xfb } as const;

/** A pack is an array of maps of scalars or of arrays of scalars; the rest is for extensions. */
const DEPTH_MAX = 6;

export function writeHead(writer: Writer, major: number, count: number | bigint): void {
  const lead = major << 5;
  if (count < 24) writer.u8(lead | Number(count));
  else if (count < 0x100) writer.u8(lead | 24).u8(Number(count));
  else if (count < 0x1_0000) writer.u8(lead | 25).u16(Number(count));
  else if (count < 0x1_0000_0000) writer.u8(lead | 26).u32(Number(count));
  else writer.u8(lead | 27).u64(BigInt(count));
}

export function writeArrayHead(writer: Writer, length: number): void {
  writeHead(writer, MAJOR.array, length);
}

/** A safe integer, or a bigint of at most 64 bits. */
export function writeInteger(writer: Writer, value: number | bigint): void {
  if (value >= 0) writeHead(writer, MAJOR.unsigned, value);
  else writeHead(writer, MAJOR.negative, typeof value === 'bigint' ? -1n - value : -1 - value);
}

export function writeDecimal(writer: Writer, exponent: number, mantissa: number | bigint): void {
  writer.u8((MAJOR.tag << 5) | TAG_DECIMAL).u8((MAJOR.array << 5) | 2);
  writeInteger(writer, exponent);
  writeInteger(writer, mantissa);
}

/** The shorter of single and double precision that holds the value. */
export function writeFloat(writer: Writer, value: number): void {
  if (Object.is(Math.fround(value), value)) writer.u8(SIMPLE.f32).f32(value);
  else writer.u8(SIMPLE.f64).f64(value);
}

export function writeText(writer: Writer, text: string): void {
  const bytes = bytesFromUtf8(text);
  writeHead(writer, MAJOR.text, bytes.length);
  writer.bytes(bytes);
}

export function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writeHead(writer, MAJOR.bytes, bytes.length);
  writer.bytes(bytes);
}

export function writeBoolean(writer: Writer, value: boolean): void {
  writer.u8(value ? SIMPLE.true : SIMPLE.false);
}

/**
 * One item. Errors: `truncated`, `bad-cbor` (not well-formed, not UTF-8, a repeated key),
 * `unsupported` (a tag, simple value or indefinite length), `too-deep`.
 */
export function readItem(reader: Reader, field: string, depth = 0): CborValue {
  const offset = reader.offset;
  if (depth > DEPTH_MAX)
    throw new OperatingError('too-deep', `over ${DEPTH_MAX}`, { offset, field });
  const lead = reader.u8(field);
  const major = lead >>> 5;
  if (major === 7) return readSimple(reader, lead, field);
  const count = readCount(reader, lead & 0x1f, field);
  switch (major) {
    case MAJOR.unsigned:
      return narrow(count);
    case MAJOR.negative:
      return narrow(-1n - count);
    case MAJOR.bytes:
      return reader.take(lengthOf(count), field).slice();
    case MAJOR.text:
      return readText(reader, lengthOf(count), field);
    case MAJOR.array:
      return readArray(reader, lengthOf(count), field, depth);
    case MAJOR.map:
      return readMap(reader, lengthOf(count), field, depth);
    default:
      return readTag(reader, count, field, depth);
  }
}

/** The length of the array that begins here, checked against what is left. */
export function readArrayLength(reader: Reader, field: string): number {
  const offset = reader.offset;
  const lead = reader.u8(field);
  if (lead >>> 5 !== MAJOR.array)
    throw new OperatingError('bad-cbor', 'no array', { offset, field });
  return assertFits(reader, lengthOf(readCount(reader, lead & 0x1f, field)), field);
}

function readCount(reader: Reader, information: number, field: string): bigint {
  if (information < 24) return BigInt(information);
  if (information === 24) return BigInt(reader.u8(field));
  if (information === 25) return BigInt(reader.u16(field));
  if (information === 26) return BigInt(reader.u32(field));
  if (information === 27) return reader.u64(field);
  throw new OperatingError('unsupported', 'indefinite or reserved length', {
    offset: reader.offset - 1,
    field,
  });
}

/** A length beyond any input stays beyond it as a number. */
function lengthOf(count: bigint): number {
  return Number(count);
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readText(reader: Reader, length: number, field: string): string {
  const offset = reader.offset;
  const bytes = reader.take(length, field);
  const text = utf8FromBytes(bytes);
  const replaced = text.includes('\ufffd') && bytesFromUtf8(text).some((b, i) => b !== bytes[i]);
  if (replaced) throw new OperatingError('bad-cbor', 'text is not UTF-8', { offset, field });
  return text;
}

/** Every element takes a byte at least: a longer claim is refused before anything is allocated. */
function assertFits(reader: Reader, length: number, field: string): number {
  if (length > reader.remaining) {
    const offset = reader.offset;
    throw new OperatingError('truncated', `${length} elements claimed`, { offset, field });
  }
  return length;
}

function readArray(reader: Reader, length: number, field: string, depth: number): CborValue {
  assertFits(reader, length, field);
  const items: CborValue[] = [];
  for (let index = 0; index < length; index += 1) items.push(readItem(reader, field, depth + 1));
  return items;
}

function readMap(reader: Reader, length: number, field: string, depth: number): CborValue {
  assertFits(reader, length * 2, field);
  const map = new Map<number | string, CborValue>();
  for (let index = 0; index < length; index += 1) {
    const offset = reader.offset;
    const key = readItem(reader, field, depth + 1);
    if ((typeof key !== 'number' && typeof key !== 'string') || map.has(key)) {
      throw new OperatingError('bad-cbor', 'a key is repeated or no label', { offset, field });
    }
    map.set(key, readItem(reader, field, depth + 1));
  }
  return map;
}

function readTag(reader: Reader, tag: bigint, field: string, depth: number): Decimal {
  const offset = reader.offset;
  if (tag !== BigInt(TAG_DECIMAL)) {
    throw new OperatingError('unsupported', `tag ${tag.toString()}`, { offset, field });
  }
  const parts = readItem(reader, field, depth + 1);
  const [exponent, mantissa] = Array.isArray(parts) ? (parts as readonly CborValue[]) : [];
  const whole = typeof mantissa === 'number' || typeof mantissa === 'bigint';
  if (typeof exponent !== 'number' || !Number.isInteger(exponent) || !whole) {
    throw new OperatingError('bad-cbor', 'no [exponent, mantissa]', { offset, field });
  }
  return Decimal.of(mantissa, exponent, { offset, field });
}

function readSimple(reader: Reader, lead: number, field: string): CborValue {
  switch (lead) {
    case SIMPLE.false:
      return false;
    case SIMPLE.true:
      return true;
    case SIMPLE.null:
      return null;
    case SIMPLE.f16:
      return halfFloat(reader.u16(field));
    case SIMPLE.f32:
      return reader.f32(field);
    case SIMPLE.f64:
      return reader.f64(field);
    default:
      throw new OperatingError('unsupported', 'simple value', { offset: reader.offset - 1, field });
  }
}

/** IEEE 754 binary16 (RFC 8949, Appendix D). */
function halfFloat(half: number): number {
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
