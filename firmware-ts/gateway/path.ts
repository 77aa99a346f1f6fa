import { failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Policy } from '#policy/policy.ts';
import type { Observation } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import type { Append, Output, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import { newestOf } from './newest.ts';
import { LatestReadings } from './latest.ts';
import type { GatewayPorts } from './ports.ts';
import type { StoreWatch } from './store-watch.ts';
import { Throttle } from './throttle.ts';

/** Readings of one source since the start. */
export interface SourceCounts {
  readonly taken: number;
  readonly stored: number;
  /** Readings that the store refused: the disk is full or broken. */
  readonly refused: number;
}

interface SourceRecord {
  taken: number;
  stored: number;
  refused: number;
  readonly latest: LatestReadings;
}

/** A reading's way from the device into the store and, where policy says so, into an outbox. */
export class ReadingPath {
  readonly #store: Store;
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #throttle: Throttle;
  readonly #watch: Pick<StoreWatch, 'stored' | 'refused'>;
  readonly #sources = new Map<string, SourceRecord>();

  constructor(
    store: Store,
    policy: Policy,
    { clock, log }: Pick<GatewayPorts, 'clock' | 'log'>,
    watch: Pick<StoreWatch, 'stored' | 'refused'>,
  ) {
    this.#store = store;
    this.#watch = watch;
    this.#policy = policy;
    this.#clock = clock;
    this.#log = log;
    this.#throttle = new Throttle(clock);
  }

  /** Never throws and never waits: acquisition goes on whatever the disk does. */
  take(observation: Observation): void {
    this.keep(observation).catch(() => undefined); // counted and told where it failed
  }

  /** Resolves when it is durable; errors: those of the store. */
  async keep(observation: Observation): Promise<void> {
    const { source, readings } = observation;
    this.#recordOf(source).latest.remember(observation);
    await this.#counted(source, readings.length, () =>
      this.#store.append(this.#appendOf(observation)),
    );
  }

  /** Keeps what one source said in one transaction: all of it, or nothing. Errors: as `keep`. */
  async keepAll(source: string, observations: readonly Observation[]): Promise<void> {
    const { latest } = this.#recordOf(source);
    for (const observation of observations) latest.remember(observation);
    const readings = observations.reduce((sum, one) => sum + one.readings.length, 0);
    await this.#counted(source, readings, () =>
      this.#store.appendAll(observations.map((one) => this.#appendOf(one))),
    );
  }

  async #counted(source: string, readings: number, append: () => Promise<void>): Promise<void> {
    const record = this.#recordOf(source);
    record.taken += readings;
    try {
      await append();
    } catch (error) {
      record.refused += readings;
      this.#refused(source, failureOf(error));
      throw error;
    }
    record.stored += readings;
    this.#watch.stored();
  }

  /** The last observations of a source that have one time, oldest first. */
  async newest(source: string): Promise<readonly Observation[]> {
    return newestOf(this.#store, source);
  }

  /** A full disk refuses every frame of every source: that is told once a minute. */
  #refused(source: string, { code, message }: Failure): void {
    this.#policy.forget(source);
    this.#watch.refused(code);
    const quiet = this.#throttle.quietSince(`${source} ${code}`);
    if (quiet === undefined) return;
    this.#log('error', 'store.refused', { source, code, message, repeated: quiet || undefined });
  }

  counts(source: string): SourceCounts {
    return this.#recordOf(source);
  }

  /** Readings that were stored, and owed to this back-end but for a deadband. */
  heldBack(backend: string): number {
    return this.#policy.heldBack(backend);
  }

  latest(source: string): LatestReadings {
    return this.#recordOf(source).latest;
  }

  #appendOf(observation: Observation): Append {
    return {
      source: observation.source,
      observation: encodeStored(observation),
      readings: observation.readings.length,
      ...this.#taken(observation),
      outputs: this.#outputsOf(observation),
    };
  }

  /** A time that is none yet counts from the boot, and the store makes a date of it. */
  #taken({ time }: Observation): Pick<Append, 'takenMs' | 'boot'> {
    const stamped = time.clock === 'gateway' && time.trust === 'untrusted';
    const { second, nanosecond, trust } = stamped ? time : this.#clock.wall();
    const takenMs = second * 1000 + Math.floor(nanosecond / 1_000_000);
    return trust === 'untrusted' ? { takenMs, boot: this.#clock.boot } : { takenMs };
  }

  #outputsOf(observation: Observation): readonly Output[] {
    const projections = this.#policy.project(observation, this.#clock.monotonic());
    return projections.map((projection) => ({
      backend: projection.backend,
      stream: projection.stream,
      class: projection.class,
      readings: projection.observation.readings.length,
      ...encodeRecords(projection.observation),
    }));
  }

  #recordOf(source: string): SourceRecord {
    const known = this.#sources.get(source);
    if (known !== undefined) return known;
    const record = { taken: 0, stored: 0, refused: 0, latest: new LatestReadings() };
    this.#sources.set(source, record);
    return record;
  }
}
