import { Writer } from '#bytes/cursor.ts';
import { isUrgent } from '#policy/delivery-class.ts';
import { writeKept } from './kept-run.ts';
import type { Acknowledged, Batch, KeptRun, Now, OwedRun, Skipped } from './messages.ts';
import type { Append, Output } from './store.ts';

/** At this size the fsync is a small part of a transaction; larger ones only delay others. */
const BATCH_BYTES_MAX = 1 << 20;
const BATCH_APPENDS_MAX = 2_000;

/**
 * A run is sent, repeated and dropped as a whole: half of what a payload takes, and no more than a
 * few seconds of a PMU.
 */
const RUN_BYTES_MAX = 16 << 10;
const RUN_COUNT_MAX = 256;

/** What an append costs in memory beyond its bytes, roughly, for the bound on what waits. */
const APPEND_OVERHEAD_BYTES = 256;

type Head<Run> = { -readonly [Key in Exclude<keyof Run, 'length'>]: Run[Key] };

/** A run that grows. */
interface Growing<Run> {
  readonly head: Head<Run>;
  readonly bytes: Writer;
}

/** What will be committed together, and who waits for it. */
export class Group {
  readonly #kept = new Runs<KeptRun>(RUN_COUNT_MAX);
  readonly #owed: Runs<OwedRun>;
  readonly #acknowledged: Acknowledged[] = [];
  readonly #appenders: PromiseWithResolvers<undefined>[] = [];
  readonly #acknowledgers: PromiseWithResolvers<undefined>[] = [];
  #contentBytes = 0;
  #urgent = false;

  constructor(runCountMax = RUN_COUNT_MAX) {
    this.#owed = new Runs(runCountMax);
  }

  get full(): boolean {
    return this.#appenders.length >= BATCH_APPENDS_MAX || this.#contentBytes >= BATCH_BYTES_MAX;
  }

  /** Whether something in it must not wait. */
  get urgent(): boolean {
    return this.#urgent;
  }

  /** Whether there is anything in it but acknowledgements. */
  get appends(): boolean {
    return this.#appenders.length > 0;
  }

  /** It must not wait. */
  hurry(): void {
    this.#urgent = true;
  }

  /** Memory it holds, roughly. */
  get bytes(): number {
    return (
      this.#contentBytes +
      (this.#appenders.length + this.#acknowledgers.length) * APPEND_OVERHEAD_BYTES
    );
  }

  /** What its appends owe, as numbers that are skipped if they cannot be kept. */
  get owed(): readonly Skipped[] {
    return this.#owed.all.map(({ head: { backend, stream, class: of, count } }) => {
      return { backend, stream, class: of, count };
    });
  }

  append(append: Append): Promise<void> {
    const { source, takenMs, readings, observation, boot } = append;
    const kept = this.#kept.of(source, observation.length, boot, () => {
      return { source, takenMs, count: 0, readings: 0, boot };
    });
    kept.head.takenMs = takenMs;
    kept.head.count += 1;
    kept.head.readings += readings;
    writeKept(kept.bytes, append);
    this.#contentBytes += observation.length;
    for (const output of append.outputs) this.#owe(output, append);
    return waiting(this.#appenders);
  }

  acknowledge(acknowledged: Acknowledged): Promise<void> {
    this.#acknowledged.push(acknowledged);
    return waiting(this.#acknowledgers);
  }

  /** The batch to send; its buffer is to be transferred, and the group takes nothing more. */
  seal(now: Now, skipped: readonly Skipped[]): Batch {
    const runs = [...this.#kept.all, ...this.#owed.all].map(({ bytes }) => bytes.finish());
    const bytes = joined(runs);
    const acknowledged = this.#acknowledged;
    return {
      now,
      kept: this.#kept.sealed(),
      owed: this.#owed.sealed(),
      skipped,
      acknowledged,
      bytes,
    };
  }

  /** Whether both appends and acknowledgements are in it. */
  get mixed(): boolean {
    return this.appends && this.#acknowledged.length > 0;
  }

  /** The batch without its appends. */
  acknowledgements(now: Now): Batch {
    const acknowledged = this.#acknowledged;
    return { now, kept: [], owed: [], skipped: [], acknowledged, bytes: new ArrayBuffer(0) };
  }

  refuseAppends(reason: unknown): void {
    for (const { reject } of this.#appenders) reject(reason);
  }

  /** All is durable, except for what was refused before. */
  resolve(): void {
    for (const { resolve } of [...this.#appenders, ...this.#acknowledgers]) resolve(undefined);
  }

  reject(reason: unknown): void {
    for (const { reject } of [...this.#appenders, ...this.#acknowledgers]) reject(reason);
  }

  #owe(output: Output, { takenMs, boot }: Append): void {
    const { backend, stream, class: of, records, recordCount, readings } = output;
    const { head, bytes } = this.#owed.of(`${backend}\n${stream}`, records.length, boot, () => {
      const counts = { count: 0, recordCount: 0, readings: 0 };
      return { backend, stream, class: of, takenMs, ...counts, boot, stamps: [] };
    });
    this.#urgent ||= isUrgent(of);
    if (boot !== undefined) head.stamps = [...head.stamps, takenMs];
    head.count += 1;
    head.recordCount += recordCount;
    head.readings += readings;
    bytes.bytes(records);
    this.#contentBytes += records.length;
  }
}

/** Of any run. Its times all count from one moment: a boot, or 1970. */
interface RunHead {
  readonly count: number;
  readonly boot: string | undefined;
}

/** Runs in the order of their beginning; each name has one that still grows. */
class Runs<Run extends RunHead> {
  readonly all: Growing<Run>[] = [];
  readonly #growing = new Map<string, Growing<Run>>();
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** The run of `name` that takes `length` bytes more. */
  of(name: string, length: number, boot: string | undefined, begin: () => Head<Run>): Growing<Run> {
    const known = this.#growing.get(name);
    if (known !== undefined && this.#takes(known, length, boot)) return known;
    const run = { head: begin(), bytes: new Writer(Math.max(256, 2 * length)) };
    this.all.push(run);
    this.#growing.set(name, run);
    return run;
  }

  sealed(): readonly (Head<Run> & { readonly length: number })[] {
    return this.all.map(({ head, bytes }) => ({ ...head, length: bytes.length }));
  }

  #takes({ head, bytes }: Growing<Run>, length: number, boot: string | undefined): boolean {
    // The head of any run has these (`Run` says so); the mapped type hides it.
    const { count, boot: its } = head as RunHead;
    return its === boot && count < this.#countMax && bytes.length + length <= RUN_BYTES_MAX;
  }
}

function joined(parts: readonly Uint8Array[]): ArrayBuffer {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole.buffer;
}

function waiting(waiters: PromiseWithResolvers<undefined>[]): Promise<void> {
  const waiter = Promise.withResolvers<undefined>();
  waiters.push(waiter);
  return waiter.promise;
}
