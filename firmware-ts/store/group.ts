import { Writer } from '#bytes/cursor.ts';
import type { Acknowledged, Batch, BatchAppend } from './messages.ts';
import type { Append } from './store.ts';

/** At this size the fsync is a small part of a transaction; larger ones only delay others. */
export const BATCH_BYTES_MAX = 1 << 20;
export const BATCH_APPENDS_MAX = 2_000;

/** What an append costs in memory beyond its bytes, roughly, for the bound on what waits. */
const APPEND_OVERHEAD_BYTES = 256;

/** What will be committed together, and who waits for it. */
export class Group {
  readonly #appends: BatchAppend[] = [];
  readonly #acknowledged: Acknowledged[] = [];
  readonly #bytes = new Writer();
  readonly #appenders: PromiseWithResolvers<undefined>[] = [];
  readonly #acknowledgers: PromiseWithResolvers<undefined>[] = [];

  get full(): boolean {
    return this.#appends.length >= BATCH_APPENDS_MAX || this.#bytes.length >= BATCH_BYTES_MAX;
  }

  /** Memory it holds, roughly. */
  get bytes(): number {
    return (
      this.#bytes.length +
      (this.#appenders.length + this.#acknowledgers.length) * APPEND_OVERHEAD_BYTES
    );
  }

  append({ source, readings, takenMs, observation, outputs }: Append): Promise<void> {
    this.#bytes.bytes(observation);
    for (const { records } of outputs) this.#bytes.bytes(records);
    this.#appends.push({
      source,
      readings,
      takenMs,
      length: observation.length,
      outputs: outputs.map(({ records, backend, stream, recordCount, readings: leaving }) => {
        return { backend, stream, recordCount, readings: leaving, length: records.length };
      }),
    });
    return waiting(this.#appenders);
  }

  acknowledge(acknowledged: Acknowledged): Promise<void> {
    this.#acknowledged.push(acknowledged);
    return waiting(this.#acknowledgers);
  }

  /** The batch to send; its buffer is to be transferred, and the group takes nothing more. */
  seal(): Batch {
    const { buffer } = this.#bytes.finish();
    return { appends: this.#appends, acknowledged: this.#acknowledged, bytes: buffer };
  }

  /** Whether both appends and acknowledgements are in it. */
  get mixed(): boolean {
    return this.#appends.length > 0 && this.#acknowledged.length > 0;
  }

  /** The batch without its appends. */
  acknowledgements(): Batch {
    return { appends: [], acknowledged: this.#acknowledged, bytes: new ArrayBuffer(0) };
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
}

function waiting(waiters: PromiseWithResolvers<undefined>[]): Promise<void> {
  const waiter = Promise.withResolvers<undefined>();
  waiters.push(waiter);
  return waiter.promise;
}
