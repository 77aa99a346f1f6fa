import type { Observation, Quality, Reading, TimeMark } from '#reading/reading.ts';

/** Objects remembered; of a device that names more, those that came last. */
const OBJECTS_MAX = 1000;
/** Texts and octets longer than this are cut: a status is no archive. */
const VALUE_LENGTH_MAX = 256;

/** The newest reading of an object. */
export interface LatestReading {
  readonly reading: Reading;
  readonly time: TimeMark;
  readonly quality: readonly Quality[];
}

/** What one source said last, by object, in the order of its last telegram. Bounded. */
export class LatestReadings {
  /** Ordered only when asked for: what arrives comes by far more often. */
  readonly #readings = new Map<string, Remembered>();
  #count = 0;

  remember({ time, quality, readings }: Observation): void {
    for (const reading of readings) {
      this.#count += 1;
      this.#readings.set(reading.object, {
        count: this.#count,
        reading: shortened(reading),
        time: reading.time ?? time,
        quality: reading.quality === undefined ? quality : [...quality, ...reading.quality],
      });
    }
    if (this.#readings.size > OBJECTS_MAX) this.#forgetOldest();
  }

  /** The newest `count`, in the device's order. */
  newest(count: number): readonly LatestReading[] {
    const ordered = [...this.#readings.values()].sort(byCount).slice(-count);
    return ordered.map(({ reading, time, quality }) => ({ reading, time, quality }));
  }

  #forgetOldest(): void {
    const ordered = [...this.#readings].sort(([, one], [, other]) => byCount(one, other));
    for (const [object] of ordered.slice(0, -OBJECTS_MAX)) this.#readings.delete(object);
  }
}

interface Remembered extends LatestReading {
  readonly count: number;
}

function byCount(one: Remembered, other: Remembered): number {
  return one.count - other.count;
}

/** Octets are copied: they may be a view into a whole telegram, which would stay with them. */
function shortened(reading: Reading): Reading {
  const { raw } = reading;
  const isLong = typeof raw === 'string' && raw.length > VALUE_LENGTH_MAX;
  if (!isLong && !(raw instanceof Uint8Array)) return reading;
  return { ...reading, raw: raw.slice(0, VALUE_LENGTH_MAX) };
}
