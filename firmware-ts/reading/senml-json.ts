import { Reader } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { CborValue } from './senml-cbor.ts';
import { readArrayLength, readItem } from './senml-cbor.ts';
import { Decimal } from './senml-decimal.ts';
import type { Pack } from './senml-decode.ts';
import { PACK_BYTES_MAX, packOf } from './senml-decode.ts';
import { LABEL } from './senml-labels.ts';

const NAMES: ReadonlyMap<number | string, string> = new Map(
  Object.entries(LABEL).map(([name, label]) => [label, name]),
);

/**
 * The same pack as `application/senml+json` (RFC 8428, 5): all digits of a decimal fraction stay,
 * data become base64url. For back-ends that ask for JSON, and for people. Errors: of `readItem`,
 * and `unencodable` for a number that JSON does not have.
 */
export function jsonOfPack(pack: Uint8Array): string {
  const reader = new Reader(pack);
  const count = readArrayLength(reader, 'pack');
  const records = Array.from({ length: count }, () => jsonOf(readItem(reader, 'record')));
  return `[${records.join(',\n')}]`;
}

function jsonOf(value: CborValue): string {
  if (value instanceof Decimal || typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `"${base64Url(value)}"`;
  if (value instanceof Map) {
    const fields = [...(value as ReadonlyMap<number | string, CborValue>)];
    const texts = fields.map(([key, item]) => `${JSON.stringify(nameOf(key))}:${jsonOf(item)}`);
    return `{${texts.join(',')}}`;
  }
  if (Array.isArray(value)) return `[${(value as readonly CborValue[]).map(jsonOf).join(',')}]`;
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new OperatingError('unencodable', `${value} is no number of JSON`, { field: 'v' });
  }
  return JSON.stringify(value);
}

function nameOf(label: number | string): string {
  return NAMES.get(label) ?? String(label);
}

/**
 * Reads `application/senml+json`; numbers are those of JSON.parse, that is binary doubles.
 * Errors: `too-large`, `bad-json`, and those of `decodePack`; offsets count records.
 */
export function decodeJsonPack(text: string): Pack {
  if (text.length > PACK_BYTES_MAX) throw new OperatingError('too-large', `${text.length} units`);
  const records = parse(text);
  if (!Array.isArray(records)) throw new OperatingError('bad-json', 'a pack is an array');
  return packOf((records as readonly unknown[]).map(fieldsOf));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new OperatingError('bad-json', 'not JSON', { cause });
  }
}

function fieldsOf(record: unknown, offset: number) {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new OperatingError('bad-field', 'a record is an object', { offset, field: 'record' });
  }
  const fields = new Map<number | string, CborValue>();
  for (const [name, value] of Object.entries(record)) {
    const label = Object.hasOwn(LABEL, name) ? LABEL[name as keyof typeof LABEL] : name;
    // What is no CBOR value by its type (an object) can only stand under a label we pass over.
    fields.set(label, label === LABEL.vd ? bytesOf(value, offset) : (value as CborValue));
  }
  return { fields, offset };
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** RFC 4648, 5, without padding. */
function base64Url(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const word =
      ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    for (let place = 0; place < Math.min(4, bytes.length - index + 1); place += 1) {
      text += ALPHABET[(word >>> (18 - 6 * place)) & 63] ?? '';
    }
  }
  return text;
}

function bytesOf(value: unknown, offset: number): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]*={0,2}$/.test(value)) {
    throw new OperatingError('bad-field', 'no base64url', { offset, field: 'vd' });
  }
  const digits = value.replaceAll('=', '');
  const bytes = new Uint8Array((digits.length * 6) >>> 3);
  let word = 0;
  for (let index = 0; index < digits.length; index += 1) {
    word = ((word << 6) | ALPHABET.indexOf(digits[index] ?? '')) & 0xffff;
    const bits = (index + 1) * 6;
    if (bits >>> 3 > (index * 6) >>> 3) bytes[(bits >>> 3) - 1] = word >>> (bits & 7);
  }
  return bytes;
}
