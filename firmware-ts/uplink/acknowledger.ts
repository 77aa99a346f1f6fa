import { failureOf } from '#bytes/failure.ts';
import { Backoff } from '#link/backoff.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';

/**
 * Entries that the broker has and the store does not know of yet: a power cut repeats them all.
 * While more wait nothing new is sent; a store that works has them durable within a few commits.
 */
export const UNDURABLE_MAX = 4096;

export interface AcknowledgerParts {
  readonly store: Store;
  readonly backend: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Called whenever the store has taken some. */
  readonly durable: () => void;
}

/**
 * Deletes what the broker has, over the sessions of one uplink. What comes while the store writes
 * goes with its next commit; what the store refuses is kept here and tried again.
 */
export class Acknowledger {
  readonly #parts: AcknowledgerParts;
  readonly #backoff: Backoff;
  /** Delivered and not durable, those under way too; never sent again meanwhile. */
  readonly #ids = new Set<number>();
  #writing: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #idle = Promise.withResolvers<undefined>();
  #ended = false;

  constructor(parts: AcknowledgerParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.entropy);
    this.#idle.resolve(undefined);
  }

  /** Entries that are not durable yet. */
  get waiting(): number {
    return this.#ids.size;
  }

  holds(id: number): boolean {
    return this.#ids.has(id);
  }

  add(ids: readonly number[]): void {
    if (this.#ids.size === 0) this.#idle = Promise.withResolvers();
    for (const id of ids) this.#ids.add(id);
    if (this.#cancelRetry === undefined) this.#writing ??= this.#write();
  }

  /** Settles when all that was added is durable, however often that is tried. */
  async idle(): Promise<void> {
    await this.#idle.promise;
  }

  /** Tries no more; settles when nothing is under way in the store. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#cancelRetry?.();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { store, backend, durable } = this.#parts;
    try {
      while (this.#ids.size > 0) {
        const ids = [...this.#ids];
        await store.acknowledge(backend, ids);
        for (const id of ids) this.#ids.delete(id);
        this.#backoff.reset();
        if (this.#ids.size === 0) this.#idle.resolve(undefined);
        durable();
      }
    } catch (error) {
      this.#retry(error);
    } finally {
      this.#writing = undefined;
    }
  }

  #retry(error: unknown): void {
    if (this.#ended) return; // they stay due and are sent again: recognisable repeats
    const { clock, log, backend } = this.#parts;
    const retryMs = Math.round(this.#backoff.next());
    this.#cancelRetry = clock.after(retryMs, () => {
      this.#cancelRetry = undefined;
      this.#writing = this.#write();
    });
    const { code, message } = failureOf(error);
    log('warning', 'uplink.store-refused', { backend, code, message, retryMs });
  }
}
