import { failureOf } from '#bytes/failure.ts';
import type { Policy } from '#policy/policy.ts';
import type { Observation, Reading } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import type { Output, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';

/** Objects whose last reading is remembered for the status; a device that names more is cut. */
const LATEST_OBJECTS_MAX = 1000;

/** Readings of one source since the start. */
export interface SourceCounts {
  readonly taken: number;
  readonly stored: number;
  /** Readings that the store refused: the disk is full or broken. */
  readonly refused: number;
}

export interface LatestReading {
  readonly observation: Observation;
  readonly reading: Reading;
}

interface SourceRecord {
  taken: number;
  stored: number;
  refused: number;
  readonly latest: Map<string, LatestReading>;
}

/** A reading's way from the device into the store and, where policy says so, into an outbox. */
export class ReadingPath {
  readonly #store: Store;
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sources = new Map<string, SourceRecord>();

  constructor(store: Store, policy: Policy, clock: Clock, log: Log) {
    this.#store = store;
    this.#policy = policy;
    this.#clock = clock;
    this.#log = log;
  }

  /** Never throws and never waits: acquisition goes on whatever the disk does. */
  take(observation: Observation): void {
    const record = this.#recordOf(observation.source);
    const readings = observation.readings.length;
    record.taken += readings;
    remember(record, observation);
    this.#append(observation).then(
      () => {
        record.stored += readings;
      },
      (error: unknown) => {
        record.refused += readings;
        const { code, message } = failureOf(error);
        this.#log('error', 'store.refused', { source: observation.source, code, message });
      },
    );
  }

  counts(source: string): SourceCounts {
    return this.#recordOf(source);
  }

  latest(source: string): readonly LatestReading[] {
    return [...this.#recordOf(source).latest.values()];
  }

  async #append(observation: Observation): Promise<void> {
    const { second, nanosecond } = this.#clock.wall();
    await this.#store.append({
      source: observation.source,
      observation: encodeStored(observation),
      readings: observation.readings.length,
      takenMs: second * 1000 + Math.floor(nanosecond / 1_000_000),
      outputs: this.#outputsOf(observation),
    });
  }

  #outputsOf(observation: Observation): readonly Output[] {
    return this.#policy(observation).map((projection) => ({
      backend: projection.backend,
      stream: projection.stream,
      readings: projection.observation.readings.length,
      ...encodeRecords(projection.observation),
    }));
  }

  #recordOf(source: string): SourceRecord {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    const record = { taken: 0, stored: 0, refused: 0, latest: new Map<string, LatestReading>() };
    this.#sources.set(source, record);
    return record;
  }
}

function remember({ latest }: SourceRecord, observation: Observation): void {
  for (const reading of observation.readings) {
    if (latest.size < LATEST_OBJECTS_MAX || latest.has(reading.object)) {
      latest.set(reading.object, { observation, reading });
    }
  }
}
