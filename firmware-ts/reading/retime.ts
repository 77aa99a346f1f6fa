import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Observation, TimeMark } from './reading.ts';
import { writeTime } from './senml.ts';
import type { CborValue } from './senml-cbor.ts';
import { readItem, writeArrayHead, writeHead, writeInteger, writeText } from './senml-cbor.ts';
import { Decimal } from './senml-decimal.ts';
import { LABEL, OWN } from './senml-labels.ts';
import { decodeStored, encodeStored } from './stored.ts';

/** What the gateway's clock turned out to be ahead of its monotonic one, and how far to believe. */
export interface Correction {
  /** Added to milliseconds since the boot it gives those since 1970. */
  readonly offsetMs: number;
  readonly trust: 'trusted' | 'unknown';
}

/**
 * Dates for the gateway's own times in an observation in its stored form, which were taken since
 * a boot; the device's times stay. What is no stored form comes back as it is.
 */
export function retimeStored(stored: Uint8Array, correction: Correction): Uint8Array {
  try {
    return encodeStored(retimed(decodeStored(stored), correction));
  } catch {
    return stored; // damaged: whoever decodes it says so
  }
}

function retimed(observation: Observation, correction: Correction): Observation {
  return {
    ...observation,
    time: dated(observation.time, correction),
    readings: observation.readings.map((reading) =>
      reading.time === undefined ? reading : { ...reading, time: dated(reading.time, correction) },
    ),
  };
}

function dated(time: TimeMark, { offsetMs, trust }: Correction): TimeMark {
  if (!isStamp(time.clock, time.trust)) return time;
  const nanoseconds = BigInt(time.second) * SECOND + BigInt(time.nanosecond);
  const date = nanoseconds + BigInt(offsetMs) * MILLISECOND;
  const second = date / SECOND;
  return { ...time, second: Number(second), nanosecond: Number(date - second * SECOND), trust };
}

/**
 * The same for SenML records as `encodeRecords` wrote them, observation after observation, in which
 * such times are left out. `stampsMs`: when each was taken, milliseconds since the boot. The same
 * input gives the same bytes; what is in no such form comes back as it is.
 */
export function retimeRecords(
  records: Uint8Array,
  stampsMs: readonly number[],
  correction: Correction,
): Uint8Array {
  try {
    return new RecordsRetimer(records, stampsMs, correction).run();
  } catch {
    return records; // no SenML: it goes out as it came in
  }
}

const SECOND = 1_000_000_000n;
const MILLISECOND = 1_000_000n;
const MAP = 5; // major type, RFC 8949, 3.1
const MAP_LEAD = 0xa0;
const PAIRS_MAX = 23;
/** What a date takes more than none, and the head of a record. */
const GROWTH_BYTES = 32;

interface Pair {
  readonly label: CborValue;
  readonly value: CborValue;
  /** Both as they stand. */
  readonly bytes: Uint8Array;
}

class RecordsRetimer {
  readonly #records: Uint8Array;
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #stampsMs: readonly number[];
  readonly #correction: Correction;
  #observation = -1;
  /** By how much the base time of this observation moves, nanoseconds. */
  #shift = 0n;

  constructor(records: Uint8Array, stampsMs: readonly number[], correction: Correction) {
    this.#records = records;
    this.#reader = new Reader(records);
    this.#writer = new Writer(records.length + GROWTH_BYTES * (stampsMs.length + 1));
    this.#stampsMs = stampsMs;
    this.#correction = correction;
  }

  run(): Uint8Array {
    while (this.#reader.remaining > 0) this.#record();
    if (this.#observation + 1 !== this.#stampsMs.length) fail('observations');
    return this.#writer.finish();
  }

  #record(): void {
    const start = this.#reader.offset;
    const pairs = this.#pairs();
    const base = pairs.find(({ label }) => label === LABEL.bt);
    if (base !== undefined) this.#begin(base, pairs);
    if (this.#shift === 0n) {
      this.#writer.bytes(this.#records.subarray(start, this.#reader.offset));
      return;
    }
    const clock = pairs.findIndex(({ label }) => label === OWN.clock);
    const elsewhere = clock >= 0 && !isStampWords(pairs[clock]?.value);
    const placed = pairs.some(({ label }) => label === LABEL.t);
    writeHead(this.#writer, MAP, pairs.length + Number(elsewhere && !placed));
    for (const [at, pair] of pairs.entries()) {
      if (elsewhere && !placed && at === clock) writeTime(this.#writer, LABEL.t, -this.#shift);
      this.#pair(pair, elsewhere);
    }
  }

  /** `elsewhere`: the record's time is by another clock, and stays when the base moves. */
  #pair({ label, value, bytes }: Pair, elsewhere: boolean): void {
    if (label === LABEL.bt) writeTime(this.#writer, LABEL.bt, nanosecondsOf(value) + this.#shift);
    else if (label === LABEL.t && elsewhere) {
      writeTime(this.#writer, LABEL.t, nanosecondsOf(value) - this.#shift);
    } else if ((label === OWN.baseClock || label === OWN.clock) && isStampWords(value)) {
      this.#clock(label, value);
    } else this.#writer.bytes(bytes);
  }

  #begin(base: Pair, pairs: readonly Pair[]): void {
    this.#observation += 1;
    const stampMs = this.#stampsMs[this.#observation] ?? fail('observations');
    const clock = pairs.find(({ label }) => label === OWN.baseClock)?.value;
    const date = BigInt(stampMs + this.#correction.offsetMs) * MILLISECOND;
    this.#shift = isStampWords(clock) ? date - nanosecondsOf(base.value) : 0n;
  }

  #clock(label: string, [clock, , ...rest]: readonly CborValue[]): void {
    writeText(this.#writer, label);
    writeArrayHead(this.#writer, 2 + rest.length);
    for (const word of [clock, this.#correction.trust, ...rest]) {
      if (typeof word === 'string') writeText(this.#writer, word);
      else if (typeof word === 'number') writeInteger(this.#writer, word);
      else fail(label);
    }
  }

  #pairs(): readonly Pair[] {
    const reader = this.#reader;
    const count = reader.u8('record') - MAP_LEAD;
    if (count < 1 || count > PAIRS_MAX) fail('record');
    const pairs: Pair[] = [];
    for (let index = 0; index < count; index += 1) {
      const start = reader.offset;
      const label = readItem(reader, 'label');
      const value = readItem(reader, 'value');
      pairs.push({ label, value, bytes: this.#records.subarray(start, reader.offset) });
    }
    return pairs;
  }
}

function isStampWords(words: CborValue | undefined): words is readonly CborValue[] {
  return Array.isArray(words) && isStamp(words[0], words[1]);
}

function isStamp(clock: unknown, trust: unknown): boolean {
  return clock === 'gateway' && trust === 'untrusted';
}

function nanosecondsOf(value: CborValue): bigint {
  const number = typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal;
  return number ? Decimal.from(value).floor(-9) : fail('t');
}

function fail(field: string): never {
  throw new OperatingError('bad-record', 'no records as normd writes them', { field });
}
