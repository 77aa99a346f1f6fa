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
  readonly #readings = new Map<string, LatestReading>();

  remember({ time, quality, readings }: Observation): void {
    for (const reading of readings) {
      this.#readings.delete(reading.object); // set anew, so that the oldest stand first
      this.#readings.set(reading.object, {
        reading: { ...reading, raw: shortened(reading.raw) },
        time: reading.time ?? time,
        quality: [...quality, ...(reading.quality ?? [])],
      });
    }
    for (const oldest of this.#readings.keys()) {
      if (this.#readings.size <= OBJECTS_MAX) break;
      this.#readings.delete(oldest);
    }
  }

  /** The newest `count`, in the device's order. */
  newest(count: number): readonly LatestReading[] {
    return [...this.#readings.values()].slice(-count);
  }
}

function shortened(raw: Reading['raw']): Reading['raw'] {
  return typeof raw === 'string' || raw instanceof Uint8Array
    ? raw.slice(0, VALUE_LENGTH_MAX)
    : raw;
}
