import { Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Observation, Quality, RawValue, Reading, TimeMark } from './reading.ts';
import { valueOf } from './reading.ts';
import {
  writeArrayHead,
  writeBoolean,
  writeBytes,
  writeDecimal,
  writeFloat,
  writeHead,
  writeInteger,
  writeText,
} from './senml-cbor.ts';
import { LABEL, OWN, RELATIVE_BELOW_SECONDS, VERSION } from './senml-labels.ts';
import { nameOfObject } from './senml-names.ts';
import type { UnitKind } from './senml-units.ts';
import { kindOfUnit } from './senml-units.ts';

/** The records of one observation, one after another, without the array around them. */
export interface EncodedRecords {
  readonly records: Uint8Array;
  readonly recordCount: number;
}

/** What tells a repeated payload from a new one (decision 0002). */
export interface ContentKey {
  /** `[A-Za-z0-9_-]+`, beginning with a letter or digit. */
  readonly gateway: string;
  readonly stream: string;
  readonly epoch: number;
  /** Of the first observation in the pack. */
  readonly sequence: number;
  /** Observations in the pack. */
  readonly count: number;
}

const MAP = 5; // major type, RFC 8949, 3.1
const VERSION_FIELD = Uint8Array.of(0x20, 0x18, VERSION.secondaryUnits); // -1: 26

/**
 * The records of one observation in SenML-CBOR (RFC 8428, 6): values exact, the time absolute in
 * `bt`, own times of readings in `t`. The first record and no other has a `bt`, by which a receiver
 * tells where an observation begins (`contract/records.ts`). A time before mid-1978 cannot be told
 * from a relative one and stems from a clock never set: it is left out, which means "about now"
 * (RFC 8428, 4.5.3).
 * Errors: `unencodable` for an integer of more than 64 bits, and for a number that its scaler makes
 * larger than any double.
 */
export function encodeRecords(observation: Observation): EncodedRecords {
  const writer = new Writer(32 + observation.readings.length * 28);
  const base = baseOf(observation);
  for (const [index, reading] of observation.readings.entries()) {
    writeRecord(writer, observation, reading, index === 0 ? base : undefined);
  }
  return { records: writer.finish(), recordCount: observation.readings.length };
}

/**
 * One pack from records encoded before (those of one stream, in order): base name, version and
 * content key are put into its first record; nothing else is decoded or changed.
 * Errors: `unencodable` if there is no record.
 */
export function encodePack(key: ContentKey, entries: readonly EncodedRecords[]): Uint8Array {
  let bytes = 0;
  let recordCount = 0;
  for (const entry of entries) {
    bytes += entry.records.length;
    recordCount += entry.recordCount;
  }
  const first = entries.find((entry) => entry.recordCount > 0)?.records[0];
  if (first === undefined) throw new OperatingError('unencodable', 'a pack needs a record');
  const writer = new Writer(64 + key.gateway.length + key.stream.length + bytes);
  writeArrayHead(writer, recordCount);
  let body = writeFirstHead(writer, key, entries, first);
  for (const { records } of entries) {
    writer.bytes(body === 0 ? records : records.subarray(body));
    if (records.length > 0) body = 0;
  }
  return writer.finish();
}

/** Writes the first record's map head and the pack's base fields; answers what it replaces. */
function writeFirstHead(
  writer: Writer,
  key: ContentKey,
  entries: readonly EncodedRecords[],
  mapHead: number,
): number {
  const versioned = entries.some(({ records }) => startsVersioned(records));
  const firstVersioned = startsVersioned(
    entries.find(({ records }) => records.length > 0)?.records,
  );
  const fields = (mapHead & 0x1f) - Number(firstVersioned);
  writeHead(writer, MAP, fields + 2 + Number(versioned));
  if (versioned) writer.bytes(VERSION_FIELD);
  writeInteger(writer, LABEL.bn);
  writeText(writer, `${key.gateway}/${key.stream}/`);
  writeText(writer, OWN.key);
  writeArrayHead(writer, 3);
  writeInteger(writer, key.epoch);
  writeInteger(writer, key.sequence);
  writeInteger(writer, key.count);
  return 1 + (firstVersioned ? VERSION_FIELD.length : 0);
}

/** `encodeRecords` puts the version first where there is one. */
function startsVersioned(records: Uint8Array | undefined): boolean {
  return records !== undefined && VERSION_FIELD.every((byte, at) => records[at + 1] === byte);
}

interface Base {
  readonly versioned: boolean;
  readonly time: TimeMark;
}

function baseOf({ time, readings }: Observation): Base {
  return { versioned: readings.some(({ unit }) => kindOfUnit(unit) === 'secondary'), time };
}

function writeRecord(
  writer: Writer,
  { time, quality }: Observation,
  reading: Reading,
  base: Base | undefined,
): void {
  const unit = kindOfUnit(reading.unit);
  const marks = marksOf(quality, reading.quality);
  const own = reading.time;
  const offset = own === undefined ? undefined : timeOffset(time, own);
  const clock = own === undefined || clockOf(own) === clockOf(time) ? '' : clockOf(own);
  const count =
    (base === undefined ? 0 : 1 + Number(base.versioned) + Number(clockOf(time) !== TRUSTED)) +
    (2 + Number(unit !== 'none') + Number(marks.length > 0)) +
    (Number(offset !== undefined) + Number(clock !== ''));
  writeHead(writer, MAP, count);
  if (base !== undefined) writeBase(writer, base);
  writeInteger(writer, LABEL.n);
  writeText(writer, nameOfObject(reading.object));
  writeUnit(writer, unit, reading.unit);
  writeValue(writer, reading.raw, reading.scaler);
  if (offset !== undefined) writeTime(writer, LABEL.t, offset);
  if (own !== undefined && clock !== '') writeClock(writer, OWN.clock, own);
  if (marks.length > 0) writeWords(writer, OWN.quality, marks);
}

function writeBase(writer: Writer, { versioned, time }: Base): void {
  if (versioned) writer.bytes(VERSION_FIELD);
  writeTime(writer, LABEL.bt, nanosecondsOf(time));
  if (clockOf(time) !== TRUSTED) writeClock(writer, OWN.baseClock, time);
}

function writeUnit(writer: Writer, kind: UnitKind, unit: string): void {
  if (kind === 'none') return;
  if (kind === 'unregistered') writeText(writer, OWN.unit);
  else writeInteger(writer, LABEL.u);
  writeText(writer, unit);
}

function writeValue(writer: Writer, raw: RawValue, scaler: number): void {
  if (typeof raw === 'boolean') {
    writeInteger(writer, LABEL.vb);
    writeBoolean(writer, raw);
  } else if (typeof raw === 'object') {
    writeInteger(writer, LABEL.vd);
    writeBytes(writer, raw);
  } else if (typeof raw === 'string' || (typeof raw === 'number' && !Number.isFinite(raw))) {
    // SenML's numbers are those of JSON: NaN, which a PMU sends for "no value", goes as text.
    writeInteger(writer, LABEL.vs);
    writeText(writer, String(raw));
  } else {
    writeInteger(writer, LABEL.v);
    writeNumber(writer, raw, scaler);
  }
}

function writeNumber(writer: Writer, raw: number | bigint, scaler: number): void {
  const value = Number(valueOf({ raw, scaler }));
  if (!Number.isFinite(value)) {
    throw new OperatingError('unencodable', 'a number beyond all doubles', { field: 'v' });
  }
  const whole = typeof raw === 'bigint' || (Number.isSafeInteger(raw) && !Object.is(raw, -0));
  if (!whole) {
    writeFloat(writer, value);
    return;
  }
  if (BigInt.asIntN(65, BigInt(raw)) !== BigInt(raw)) {
    throw new OperatingError('unencodable', 'an integer of more than 64 bits', { field: 'v' });
  }
  if (scaler === 0) writeInteger(writer, raw);
  else writeDecimal(writer, scaler, raw);
}

const NANO = 1_000_000_000n;

/** 0 where the clock stands too far in the past to give an absolute time. */
function nanosecondsOf({ second, nanosecond }: TimeMark): bigint {
  return second < RELATIVE_BELOW_SECONDS ? 0n : BigInt(second) * NANO + BigInt(nanosecond);
}

function timeOffset(base: TimeMark, own: TimeMark): bigint | undefined {
  const offset = nanosecondsOf(own) - nanosecondsOf(base);
  return offset === 0n ? undefined : offset;
}

/** Whole seconds as an integer, else a decimal fraction without trailing zeros. */
export function writeTime(writer: Writer, label: number, nanoseconds: bigint): void {
  writeInteger(writer, label);
  if (nanoseconds % NANO === 0n) {
    writeInteger(writer, nanoseconds / NANO);
    return;
  }
  let exponent = -9;
  let mantissa = nanoseconds;
  for (; mantissa % 10n === 0n; mantissa /= 10n) exponent += 1;
  writeDecimal(writer, exponent, mantissa);
}

const TRUSTED = 'device trusted';

/** Whose clock, as words; equal texts are equal clocks. */
function clockOf({ clock, trust, leapSecond, localOffsetMin }: TimeMark): string {
  const leap = leapSecond === true ? ' leap-second' : '';
  return `${clock} ${trust}${leap}${localOffsetMin === undefined ? '' : ` ${localOffsetMin}`}`;
}

function writeClock(writer: Writer, label: string, time: TimeMark): void {
  const { clock, trust, leapSecond, localOffsetMin } = time;
  writeText(writer, label);
  writeArrayHead(writer, 2 + Number(leapSecond === true) + Number(localOffsetMin !== undefined));
  writeText(writer, clock);
  writeText(writer, trust);
  if (leapSecond === true) writeText(writer, 'leap-second');
  if (localOffsetMin !== undefined) writeInteger(writer, localOffsetMin);
}

function marksOf(all: readonly Quality[], own: readonly Quality[] = []): readonly Quality[] {
  return all.length === 0 ? own : [...new Set([...all, ...own])];
}

function writeWords(writer: Writer, label: string, words: readonly string[]): void {
  writeText(writer, label);
  writeArrayHead(writer, words.length);
  for (const word of words) writeText(writer, word);
}
