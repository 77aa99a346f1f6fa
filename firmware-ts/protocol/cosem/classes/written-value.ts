import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import type { BitString, Data, DataType } from '../../dlms/data.ts';
import type { CosemDateTime } from '../../dlms/date-time.ts';
import { encodeDateTime } from '../../dlms/date-time.ts';
import { shownAt } from '../local-time.ts';
import { obisFrom } from '../obis.ts';
import type { Fields, List, Shape, Words } from './interface-class.ts';

/**
 * The value that somebody wrote for an attribute: the other way of `namedValue`. Numbers, true and
 * false stand for themselves, and texts for octets in hex, times, logical names and words; fields
 * are an object, lists an array. Where the class leaves the type open it is that of `present`, the
 * value that the object has. Errors: `bad-value` with the field.
 */
export function writtenValue(shape: Shape, written: unknown, present?: Data): Data {
  return valueOf(shape, written, present, 'value');
}

function valueOf(shape: Shape, written: unknown, present: Data | undefined, field: string): Data {
  if (typeof shape === 'string') return simpleOf(shape, written, present, field);
  if ('words' in shape) return wordOf(shape, written, present, field);
  if ('fields' in shape) return structureOf(shape, written, present, field);
  return arrayOf(shape, written, present, field);
}

function wordOf(
  { words }: Words,
  written: unknown,
  present: Data | undefined,
  field: string,
): Data {
  const type = present?.type === 'unsigned' ? 'unsigned' : 'enum';
  const [number] = Object.entries(words).find(([, word]) => word === written) ?? [];
  if (number !== undefined) return { type, value: Number(number) };
  if (typeof written === 'number' && written in words)
    return simpleOf(type, written, undefined, field);
  throw bad(`${JSON.stringify(written)} is none of ${Object.values(words).join(', ')}`, field);
}

function structureOf(
  { fields }: Fields,
  written: unknown,
  present: Data | undefined,
  field: string,
): Data {
  const given = objectIn(written, field);
  const names = Object.keys(fields);
  const same = Object.keys(given).length === names.length && names.every((name) => name in given);
  if (!same) throw bad(`it has the fields ${names.join(', ')}`, field);
  const parts = present?.type === 'structure' ? present.value : [];
  const value = Object.entries(fields).map(([name, shape], index) =>
    valueOf(shape, given[name], parts[index], `${field}.${name}`),
  );
  return { type: 'structure', value };
}

function objectIn(written: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof written === 'object' && written !== null && !Array.isArray(written)) {
    return { ...written };
  }
  throw bad('write an object in JSON', field);
}

/** Elements of a list are of one kind: that of the first that is there. */
function arrayOf(
  { listOf }: List,
  written: unknown,
  present: Data | undefined,
  field: string,
): Data {
  if (!Array.isArray(written)) throw bad('write a list in JSON', field);
  const [first] = present?.type === 'array' ? present.value : [];
  const value = written.map((one: unknown, index) =>
    valueOf(listOf, one, first, `${field}[${index}]`),
  );
  return { type: 'array', value };
}

function simpleOf(
  shape: DataType | 'choice' | 'logical-name' | 'moment',
  written: unknown,
  present: Data | undefined,
  field: string,
): Data {
  switch (shape) {
    case 'choice':
      return asPresent(written, present, field);
    case 'logical-name':
      return { type: 'octet-string', value: obisFrom(textIn(written, field)) };
    case 'moment':
      return momentOf(written, present, field);
    default:
      return typedOf(shape, written, field);
  }
}

/** Whoever knows no type may still know the value: it goes as what is there. */
function asPresent(written: unknown, present: Data | undefined, field: string): Data {
  if (present === undefined || present.type === 'null-data') {
    throw bad('the class leaves its type open, and the meter does not show it', field);
  }
  if (present.type === 'structure') {
    const parts = present.value.map((_, index): [string, Shape] => [String(index), 'choice']);
    const listed = Array.isArray(written) ? Object.fromEntries(Object.entries(written)) : written;
    return structureOf({ fields: Object.fromEntries(parts) }, listed, present, field);
  }
  if (present.type === 'array') return arrayOf({ listOf: 'choice' }, written, present, field);
  if (present.type === 'octet-string' && typeof written === 'string' && MOMENT.test(written)) {
    return momentOf(written, present, field);
  }
  return typedOf(present.type, written, field);
}

const MOMENT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?$/;

function momentOf(written: unknown, present: Data | undefined, field: string): Data {
  const text = textIn(written, field);
  const type = present?.type === 'date-time' ? 'date-time' : 'octet-string';
  if (!MOMENT.test(text)) return { type, value: octetsIn(text, field) };
  return { type, value: encodeDateTime(dateTimeIn(text, field)) };
}

/** Errors: `bad-value` for a day or an hour that there is not. */
function dateTimeIn(text: string, field: string): CosemDateTime {
  const [, date = '', time = '', second = '00', zone] = MOMENT.exec(text) ?? [];
  const localS = Date.parse(`${date}T${time}:${second}Z`) / 1000;
  const shown = Number.isNaN(localS) ? undefined : shownAt(localS);
  // The 31st of February would be the 3rd of March.
  if (shown?.day !== Number(date.slice(8))) throw bad(`${text} is no time`, field);
  const deviation = zone === undefined ? {} : { deviation: deviationOf(zone) };
  return { ...shown, hundredths: 0, ...deviation };
}

/** Minutes to UTC: +01:00 is -60 (IEC 62056-6-2, 4.1.6.1). */
function deviationOf(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith('+') ? -minutes : minutes;
}

/** Bits of the integers, and whether they have a sign. */
const INTEGERS: Readonly<Partial<Record<DataType, readonly [bits: number, signed: boolean]>>> = {
  integer: [8, true],
  unsigned: [8, false],
  enum: [8, false],
  bcd: [8, true],
  long: [16, true],
  'long-unsigned': [16, false],
  'double-long': [32, true],
  'double-long-unsigned': [32, false],
  long64: [64, true],
  'long64-unsigned': [64, false],
};

const OCTETS: Readonly<Partial<Record<DataType, number>>> = { 'date-time': 12, date: 5, time: 4 };

function typedOf(type: DataType, written: unknown, field: string): Data {
  const integer = INTEGERS[type];
  if (integer !== undefined) return integerOf(type, integer, written, field);
  switch (type) {
    case 'boolean':
      if (typeof written === 'boolean') return { type, value: written };
      throw bad('write true or false', field);
    case 'float32':
    case 'float64':
      if (typeof written === 'number') return { type, value: written };
      throw bad('write a number', field);
    case 'visible-string':
    case 'utf8-string':
      return { type, value: textIn(written, field) };
    case 'bit-string':
      return { type, value: bitsIn(textIn(written, field), field) };
    case 'octet-string':
    case 'date-time':
    case 'date':
    case 'time':
      return { type, value: sized(octetsIn(textIn(written, field), field), OCTETS[type], field) };
    default:
      throw bad(`values of type ${type} are not written`, field);
  }
}

function integerOf(
  type: DataType,
  [bits, signed]: readonly [number, boolean],
  written: unknown,
  field: string,
): Data {
  const least = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  const most = 2n ** BigInt(signed ? bits - 1 : bits) - 1n;
  const value = wholeIn(written);
  if (value === undefined || value < least || value > most) {
    throw bad(`${type} takes a whole number from ${least} to ${most}`, field);
  }
  return { type, value: bits === 64 ? value : Number(value) } as Data;
}

/** Numbers beyond 2^53 come as text. */
function wholeIn(written: unknown): bigint | undefined {
  if (typeof written === 'number' && Number.isSafeInteger(written)) return BigInt(written);
  if (typeof written === 'string' && /^-?\d{1,20}$/.test(written)) return BigInt(written);
  return undefined;
}

function sized(bytes: Uint8Array, length: number | undefined, field: string): Uint8Array {
  if (length === undefined || bytes.length === length) return bytes;
  throw bad(`${bytes.length} bytes instead of ${length}`, field);
}

/** `0b0101`, as it is shown. */
function bitsIn(text: string, field: string): BitString {
  const [, bits] = /^0b([01]{0,4096})$/.exec(text) ?? [];
  if (bits === undefined) throw bad('write bits as 0b0101', field);
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [index, bit] of Array.from(bits).entries()) {
    if (bit === '1') bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7));
  }
  return { bitLength: bits.length, bytes };
}

function octetsIn(text: string, field: string): Uint8Array {
  try {
    return fromHex(text);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    throw bad('write octets in hex', field);
  }
}

/** Digits alone are a text, too. */
function textIn(written: unknown, field: string): string {
  if (typeof written === 'string') return written;
  if (Number.isSafeInteger(written)) return String(written);
  throw bad('write a text', field);
}

function bad(message: string, field: string): OperatingError {
  return new OperatingError('bad-value', message, {
    field,
    hint: 'see what it has now: normctl meter read, with --json for lists and structures',
  });
}
