import { hash } from 'node:crypto';
import { advanceAll, chainStart } from '#contract/chain.ts';
import { formsOfRecords } from '#contract/records.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { TimeMark } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { type HereOptions, type StoreHere, openStoreHere } from '#store/here.ts';
import type { DueEntry, NamedGap, StreamStanding } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';

export const BACKEND = 'utility';

/** A virtual clock whose wall may be stepped and doubted. */
export class WallClock implements Clock {
  readonly boot = 'boot-1';
  stepSeconds = 0;
  trust: TimeMark['trust'] = 'trusted';
  readonly #inner = new VirtualClock({ second: 1_800_000_000 });

  monotonic(): number {
    return this.#inner.monotonic();
  }

  wall(): TimeMark {
    const { second, ...mark } = this.#inner.wall();
    return { ...mark, second: second + this.stepSeconds, trust: this.trust };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#inner.after(delayMs, run);
  }

  believeFrom(second: number): void {
    this.#inner.believeFrom(second);
  }

  run(durationMs: number): Promise<void> {
    return this.#inner.run(durationMs);
  }
}

/** A store in this thread through its lives, and what it named. */
export class OwingStore {
  readonly clock = new WallClock();
  readonly named: NamedGap[] = [];
  readonly #options: HereOptions;
  #store: StoreHere | undefined;

  constructor(options: HereOptions) {
    this.#options = { ...options, clock: this.clock };
  }

  get store(): StoreHere {
    if (this.#store === undefined) throw new Error('open it first');
    return this.#store;
  }

  async open(): Promise<void> {
    const store = await openStoreHere(this.#options);
    store.onGap((gap) => this.named.push(gap));
    this.#store = store;
  }

  async restart(): Promise<void> {
    const closed = this.store.close();
    await this.clock.run(20);
    await closed;
    await this.open();
  }

  async crash(): Promise<void> {
    this.store.abandon();
    await this.open();
  }

  /** Waits for `work` while the group delay passes. */
  async settled<Result>(work: Promise<Result>): Promise<Result> {
    const [result] = await Promise.all([work, this.clock.run(20)]);
    return result;
  }

  append(stream: string, value: number, of: DeliveryClass = 'measurement'): Promise<void> {
    const { records, recordCount } = encodeRecords(observationOf(stream, value));
    const output = { backend: BACKEND, stream, class: of, records, recordCount, readings: 1 };
    const observation = new Uint8Array(1);
    const takenMs = 1_800_000_000_000 + value;
    return this.store.append({
      source: stream,
      observation,
      readings: 1,
      takenMs,
      outputs: [output],
    });
  }

  /** One transaction. */
  async appendAll(
    stream: string,
    values: readonly number[],
    of: DeliveryClass = 'measurement',
  ): Promise<void> {
    await this.settled(Promise.all(values.map((value) => this.append(stream, value, of))));
  }

  due(of: DeliveryClass = 'measurement'): Promise<readonly DueEntry[]> {
    return this.settled(this.store.due(BACKEND, of, 0, 10_000));
  }

  async acknowledge(entries: readonly DueEntry[], awaitReceipt = false): Promise<void> {
    const ids = entries.map(({ id }) => id);
    const noted = this.store.acknowledge(BACKEND, ids, { awaitReceipt });
    await this.settled(Promise.all([noted, this.store.flush()]));
  }

  streams(): Promise<readonly StreamStanding[]> {
    return this.settled(this.store.streams(BACKEND));
  }

  async standing(stream: string, epoch = this.store.opening.epoch): Promise<StreamStanding> {
    const streams = await this.streams();
    const found = streams.find((one) => one.stream === stream && one.epoch === epoch);
    if (found === undefined) throw new Error(`no stream ${stream}`);
    return found;
  }

  async close(): Promise<void> {
    const closed = this.store.close();
    await this.clock.run(20);
    await closed;
  }
}

/** Its one reading is `value`. */
export function observationOf(source: string, value: number) {
  return {
    source,
    time: { second: 1_800_000_000, nanosecond: 0, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: [{ object: '1-0:1.8.0*255', raw: value, scaler: 0, unit: 'Wh' }],
  } as const;
}

function formOf(stream: string, value: number): readonly Uint8Array[] {
  return formsOfRecords(encodeRecords(observationOf(stream, value)).records);
}

/** The chain of the contract after observations of these numbers and values. */
export function chainOf(
  stream: string,
  delivered: readonly (readonly [sequence: number, value: number])[],
): Uint8Array {
  const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'));
  return delivered.reduce(
    (chain, [sequence, value]) => advanceAll(sha256, chain, sequence, formOf(stream, value)),
    chainStart(),
  );
}

/** First and last numbers of each. */
export function spans(entries: readonly Pick<DueEntry, 'sequence' | 'count'>[]): number[][] {
  return entries.map(({ sequence, count }) => [sequence, sequence + count - 1]);
}
