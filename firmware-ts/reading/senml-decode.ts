import { Reader } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Quality, RawValue, Reading, TimeMark } from './reading.ts';
import { QUALITIES } from './reading.ts';
import type { CborValue } from './senml-cbor.ts';
import { readArrayLength, readItem } from './senml-cbor.ts';
import { Decimal } from './senml-decimal.ts';
import { LABEL, OWN, RELATIVE_BELOW_SECONDS, VERSION } from './senml-labels.ts';
import { LEGAL_NAME, objectOfName } from './senml-names.ts';
import type { ContentKey } from './senml.ts';

/** A pack with its base fields resolved (RFC 8428, 4.6). */
export interface Pack {
  /** Of packs that normd made; others have none. */
  readonly key?: ContentKey;
  readonly records: readonly SenmlRecord[];
}

export interface SenmlRecord extends Reading {
  /** The full name; `object` is what is left of it without the base name, as normd names it. */
  readonly name: string;
  readonly time: TimeMark;
  /** The time is an offset from now, not a date (RFC 8428, 4.5.3). */
  readonly relative: boolean;
  readonly quality: readonly Quality[];
}

/** A broker carries at most this by default, and normd sends far less. */
export const PACK_BYTES_MAX = 1 << 20;

type Fields = ReadonlyMap<number | string, CborValue>;

/** Base fields hold until they are given anew (RFC 8428, 4.1). */
interface Base {
  name: string;
  time: Decimal;
  clock: Clock;
  unit: string;
  value: Decimal | undefined;
  version: number;
}

type Clock = Omit<TimeMark, 'second' | 'nanosecond'>;

const TRUSTED: Clock = { clock: 'device', trust: 'trusted' };

/**
 * Reads SenML-CBOR, of normd or of others. Sums (`s`, `bs`) and update times are passed over, and
 * so is a record that has nothing else. Errors, with the offset of the record: those of `readItem`,
 * `too-large`, `trailing-bytes`, `bad-label`, `bad-name`, `bad-number`, `bad-field`, `no-value`,
 * `not-understood` (a version or a must-understand label of the future).
 */
export function decodePack(bytes: Uint8Array): Pack {
  if (bytes.length > PACK_BYTES_MAX) {
    throw new OperatingError('too-large', `${bytes.length} bytes`, { offset: 0 });
  }
  const reader = new Reader(bytes);
  const count = readArrayLength(reader, 'pack');
  const records: PlacedFields[] = [];
  for (let index = 0; index < count; index += 1) {
    const offset = reader.offset;
    const fields = readItem(reader, 'record', 1);
    if (!(fields instanceof Map)) fail('bad-field', 'a record is a map', offset, 'record');
    records.push({ fields, offset });
  }
  if (reader.remaining > 0) fail('trailing-bytes', 'after the pack', reader.offset, 'pack');
  return packOf(records);
}

/** The fields of one record, and where it begins. */
export interface PlacedFields {
  readonly fields: Fields;
  readonly offset: number;
}

/** Resolves records of either form; see `decodePack`. */
export function packOf(placed: readonly PlacedFields[]): Pack {
  const base = newBase();
  const records = placed
    .map(({ fields, offset }) => resolve(fields, base, offset))
    .filter((record) => record !== undefined);
  const [first] = placed;
  const key = first === undefined ? undefined : keyOf(first.fields, first.offset);
  return key === undefined ? { records } : { key, records };
}

function newBase(): Base {
  return {
    name: '',
    time: Decimal.of(0, 0),
    clock: TRUSTED,
    unit: '',
    value: undefined,
    version: VERSION.plain,
  };
}

/** One record by the base as it stands, which it may change; `undefined` if it is only a sum. */
function resolve(fields: Fields, base: Base, offset: number): SenmlRecord | undefined {
  assertLabels(fields, offset);
  const read = new FieldReader(fields, offset);
  takeBase(read, base);
  const own = read.text(LABEL.n) ?? '';
  const name = base.name + own;
  if (!LEGAL_NAME.test(name)) fail('bad-name', 'the resolved name is not legal', offset, 'n');
  const value = valueOf(read, base);
  if (value === undefined) return undefined;
  const time = base.time.plus(read.decimal(LABEL.t) ?? Decimal.of(0, 0));
  return {
    name,
    object: objectOfName(own),
    ...value,
    unit: read.text(LABEL.u) ?? read.text(OWN.unit) ?? base.unit,
    time: { ...instantOf(time, offset), ...(read.clock(OWN.clock) ?? base.clock) },
    relative: time.floor(0) < BigInt(RELATIVE_BELOW_SECONDS),
    quality: read.words(OWN.quality, QUALITIES) ?? [],
  };
}

const KNOWN: ReadonlySet<number | string> = new Set(Object.values(LABEL));

function assertLabels(fields: Fields, offset: number): void {
  for (const label of fields.keys()) {
    if (typeof label === 'number') {
      if (!KNOWN.has(label)) fail('bad-label', `label ${label}`, offset, 'record');
    } else if (Object.hasOwn(LABEL, label)) {
      fail('bad-label', 'a registered label goes by its number', offset, label);
    } else if (label.endsWith('_')) {
      fail('not-understood', 'the label must be understood', offset, label);
    }
  }
}

function takeBase(read: FieldReader, base: Base): void {
  base.version = read.integer(LABEL.bver) ?? base.version;
  if (base.version >= VERSION.beyond) {
    fail('not-understood', `version ${base.version}`, read.offset, 'bver');
  }
  base.name = read.text(LABEL.bn) ?? base.name;
  const time = read.decimal(LABEL.bt);
  if (time !== undefined) {
    base.time = time;
    base.clock = TRUSTED;
  }
  base.clock = read.clock(OWN.baseClock) ?? base.clock;
  base.unit = read.text(LABEL.bu) ?? base.unit;
  base.value = read.decimal(LABEL.bv) ?? base.value;
}

const VALUES = [LABEL.v, LABEL.vs, LABEL.vb, LABEL.vd] as const;

function valueOf(read: FieldReader, base: Base): Pick<Reading, 'raw' | 'scaler'> | undefined {
  const present = VALUES.filter((label) => read.fields.has(label));
  if (present.length > 1) fail('bad-field', 'more than one value', read.offset, 'v');
  const [label] = present;
  if (label === undefined) {
    if (base.value !== undefined) return rawOf(base.value);
    if (read.fields.has(LABEL.s) || read.fields.has(LABEL.bs)) return undefined;
    fail('no-value', 'the record has no value', read.offset, 'v');
  }
  const value = read.fields.get(label);
  if (label === LABEL.v) return numberOf(value, base.value, read.offset);
  const good =
    (label === LABEL.vs && typeof value === 'string') ||
    (label === LABEL.vb && typeof value === 'boolean') ||
    (label === LABEL.vd && value instanceof Uint8Array);
  if (!good) fail('bad-field', 'a value of another type', read.offset, 'v');
  return { raw: value as RawValue, scaler: 0 };
}

function numberOf(value: CborValue | undefined, base: Decimal | undefined, offset: number) {
  if (!isNumeric(value)) fail('bad-field', 'no number', offset, 'v');
  if (base !== undefined) return rawOf(base.plus(Decimal.from(value, { offset, field: 'v' })));
  if (value instanceof Decimal) return rawOf(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    fail('bad-number', 'not finite', offset, 'v');
  }
  return { raw: value, scaler: 0 };
}

function rawOf({ mantissa, exponent }: Decimal): Pick<Reading, 'raw' | 'scaler'> {
  const number = Number(mantissa);
  return { raw: Number.isSafeInteger(number) ? number : mantissa, scaler: exponent };
}

/** Year 9999 on either side: what is beyond is no date of a reading. */
const SECOND_MAX = 253_402_300_799n;
const NANO = 1_000_000_000n;

function instantOf(time: Decimal, offset: number): Pick<TimeMark, 'second' | 'nanosecond'> {
  const nanoseconds = time.floor(-9);
  const second = time.floor(0);
  if (second > SECOND_MAX || second < -SECOND_MAX) fail('bad-number', 'no date', offset, 't');
  return { second: Number(second), nanosecond: Number(nanoseconds - second * NANO) };
}

function keyOf(fields: Fields, offset: number): ContentKey | undefined {
  const numbers = fields.get(OWN.key);
  const name = fields.get(LABEL.bn);
  if (numbers === undefined || typeof name !== 'string') return undefined;
  const names = /^([A-Za-z0-9_-]+)\/([A-Za-z0-9_-]+)\/$/.exec(name);
  if (names === null) return undefined;
  const [epoch, sequence, count] = Array.isArray(numbers) ? (numbers as readonly CborValue[]) : [];
  if (!isCount(epoch) || !isCount(sequence) || !isCount(count)) {
    fail('bad-field', 'no [epoch, sequence, count]', offset, OWN.key);
  }
  return { gateway: names[1] ?? '', stream: names[2] ?? '', epoch, sequence, count };
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isNumeric(value: CborValue | undefined): value is number | bigint | Decimal {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal;
}

/** Fields of one record by type; a field of another type is `bad-field`. */
class FieldReader {
  readonly fields: Fields;
  readonly offset: number;

  constructor(fields: Fields, offset: number) {
    this.fields = fields;
    this.offset = offset;
  }

  text(label: number | string): string | undefined {
    const value = this.fields.get(label);
    if (value !== undefined && typeof value !== 'string') this.#bad(label);
    return value;
  }

  integer(label: number): number | undefined {
    const value = this.fields.get(label);
    if (value !== undefined && !isCount(value)) this.#bad(label);
    return value;
  }

  decimal(label: number): Decimal | undefined {
    const value = this.fields.get(label);
    if (value === undefined) return undefined;
    if (!isNumeric(value)) this.#bad(label);
    return Decimal.from(value, { offset: this.offset, field: nameOfLabel(label) });
  }

  words<Word extends string>(label: string, known: readonly Word[]): readonly Word[] | undefined {
    const value = this.fields.get(label);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) this.#bad(label);
    // A mark of a later normd is passed over.
    return known.filter((word) => (value as readonly CborValue[]).includes(word));
  }

  clock(label: string): Clock | undefined {
    const value = this.fields.get(label);
    if (value === undefined) return undefined;
    const [clock] = this.words(label, ['device', 'gateway'] as const) ?? [];
    const [trust] = this.words(label, ['trusted', 'untrusted', 'unknown'] as const) ?? [];
    if (clock === undefined || trust === undefined) this.#bad(label);
    const parts = value as readonly CborValue[];
    const minutes = parts.find((part) => typeof part === 'number');
    return {
      clock,
      trust,
      ...(parts.includes('leap-second') ? { leapSecond: true } : {}),
      ...(minutes === undefined ? {} : { localOffsetMin: minutes }),
    };
  }

  #bad(label: number | string): never {
    fail('bad-field', 'a field of another type', this.offset, nameOfLabel(label));
  }
}

function nameOfLabel(label: number | string): string {
  const known = Object.entries(LABEL).find(([, number]) => number === label);
  return known?.[0] ?? String(label);
}

function fail(code: string, message: string, offset: number, field: string): never {
  throw new OperatingError(code, message, { offset, field });
}
