import { toHex } from '#bytes/hex.ts';
import { valueOf } from '#reading/reading.ts';
import type { Observation, Reading, TimeMark } from '#reading/reading.ts';
import { Decimal, EXPONENT_MAX } from '#reading/senml-decimal.ts';
import type { Deadband } from './rule.ts';

/** A deadband whose numbers are as exact as they were written: 0.1 is a tenth. */
export interface Band {
  readonly absolute?: Decimal;
  readonly percent?: Decimal;
  readonly silenceMs: number;
}

export function bandOf({ absolute, percent, maxSeconds }: Deadband): Band {
  return {
    ...(absolute === undefined ? {} : { absolute: Decimal.from(absolute) }),
    ...(percent === undefined ? {} : { percent: Decimal.from(percent) }),
    silenceMs: maxSeconds * 1000,
  };
}

/** Objects remembered of a source; of more the one that was sent longest ago passes once more. */
export const REMEMBERED_MAX = 4096;
/** Longer texts and octets are no measured values, and always pass. */
const TEXT_LENGTH_MAX = 256;

interface Sent {
  readonly value: Decimal | string;
  /** Unit, quality and clock: a value under other ones is another value. */
  readonly marks: string;
  readonly atMs: number;
  /** Of the newest reading, sent or held back. */
  seen: TimeMark;
}

/**
 * What was sent last of each object to one back-end, from which the back-end knows every value
 * held back to within its band: it holds the last one until the next.
 */
export class LastSent {
  readonly #sources = new Map<string, Map<string, Sent>>();

  /**
   * Whether a reading must be sent: when any of `bands` is left or silent for too long, when it is
   * marked otherwise than the last, and when there is no last to compare with. If so it is taken
   * for sent. `atMs` is the monotonic time of arrival. Where a source's time goes back, a reading
   * passes, and the next of its object, too: a receiver that orders by time could not know which
   * of them holds.
   */
  mustSend(
    observation: Observation,
    reading: Reading,
    bands: readonly Band[],
    atMs: number,
  ): boolean {
    const objects = this.#objectsOf(observation.source);
    const { object, time = observation.time } = reading;
    const value = comparableOf(reading);
    const marks = marksOf(observation, reading, time);
    const last = objects.get(object);
    const back = last !== undefined && isBefore(time, last.seen);
    if (last?.marks === marks && !back && bands.every((band) => rests(band, last, value, atMs))) {
      last.seen = time;
      return false;
    }
    objects.delete(object); // set anew, so that who was sent longest ago stands first
    if (!back && value !== undefined) objects.set(object, { value, marks, atMs, seen: time });
    const [oldest] = objects.keys();
    if (objects.size > REMEMBERED_MAX && oldest !== undefined) objects.delete(oldest);
    return true;
  }

  /** What was sent of this source may not have come: whatever comes next of it passes. */
  forget(source: string): void {
    this.#sources.delete(source);
  }

  #objectsOf(source: string): Map<string, Sent> {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    const objects = new Map<string, Sent>();
    this.#sources.set(source, objects);
    return objects;
  }
}

function rests(band: Band, last: Sent, value: Sent['value'] | undefined, atMs: number): boolean {
  if (value === undefined || atMs - last.atMs >= band.silenceMs) return false;
  if (typeof value === 'string' || typeof last.value === 'string') return value === last.value;
  const change = value.minus(last.value).magnitude();
  return (
    (band.absolute !== undefined && change.atMost(band.absolute)) ||
    (band.percent !== undefined &&
      change.times(HUNDRED).atMost(last.value.magnitude().times(band.percent)))
  );
}

const HUNDRED = Decimal.of(100, 0);

/**
 * The value as it would be sent, exact; a text for what is no number or none that can be reckoned
 * with, such as NaN, which a PMU sends for "no value". `undefined` for what always passes.
 */
function comparableOf(reading: Reading): Sent['value'] | undefined {
  const { raw, scaler } = reading;
  if (raw instanceof Uint8Array) return raw.length > TEXT_LENGTH_MAX ? undefined : toHex(raw);
  if (typeof raw === 'string') return raw.length > TEXT_LENGTH_MAX ? undefined : `"${raw}`;
  if (typeof raw === 'boolean' || Math.abs(scaler) > EXPONENT_MAX) return `${raw} ${scaler}`;
  if (typeof raw === 'bigint' || Number.isSafeInteger(raw)) return Decimal.of(raw, scaler);
  const value = Number(valueOf(reading));
  return Number.isFinite(value) ? Decimal.from(value) : String(value);
}

function marksOf({ quality }: Observation, reading: Reading, time: TimeMark): string {
  const marks = new Set([...quality, ...(reading.quality ?? [])]);
  return [reading.unit, time.clock, time.trust, ...[...marks].sort()].join('\n');
}

function isBefore(time: TimeMark, other: TimeMark): boolean {
  if (time.second !== other.second) return time.second < other.second;
  return time.nanosecond < other.nanosecond;
}
