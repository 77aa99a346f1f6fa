import { failureOf } from '#bytes/failure.ts';
import { Backoff } from '#link/backoff.ts';
import type { DueEntry, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';

/**
 * Observations that the broker has and the store does not know of yet: a power cut repeats them
 * all. While more wait nothing new is sent; a store that works has them durable within a commit.
 */
export const UNDURABLE_MAX = 4096;

/** So many observations are worth a commit; fewer go with what is appended. */
const COMMIT_LEAST = 1024;

/** The store takes some hundredths of a second for so many, in which an alarm has to wait. */
const COMMIT_MOST = 4096;

export interface AcknowledgerParts {
  readonly store: Store;
  readonly backend: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** What the broker has is kept until the back-end itself says that it has it. */
  readonly awaitReceipt: boolean;
  /** Called whenever the store has taken some. */
  readonly durable: () => void;
}

/**
 * Deletes what the broker has, over the sessions of one uplink. What comes while the store writes
 * goes with a later commit; what the store refuses is kept here and tried again.
 */
export class Acknowledger {
  readonly #parts: AcknowledgerParts;
  readonly #backoff: Backoff;
  /** Delivered and not durable, with their observations; never sent again meanwhile. */
  readonly #entries = new Map<number, number>();
  #observations = 0;
  /** The store asks no more what is delivered. */
  readonly #letGo: () => void;
  #writing: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #idle = Promise.withResolvers<undefined>();
  /** What is under way in the store has been hurried. */
  #hurried = false;
  #leaving = false;
  #ended = false;

  constructor(parts: AcknowledgerParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.entropy);
    this.#idle.resolve(undefined);
    const { store, backend, awaitReceipt } = parts;
    this.#letGo = store.holdDelivered(backend, () => [...this.#entries.keys()], { awaitReceipt });
  }

  /** Observations that are not durable yet. */
  get waiting(): number {
    return this.#observations;
  }

  holds(id: number): boolean {
    return this.#entries.has(id);
  }

  add(entries: readonly Pick<DueEntry, 'id' | 'count'>[]): void {
    if (this.#entries.size === 0) this.#idle = Promise.withResolvers();
    for (const { id, count } of entries) this.#keep(id, count);
    if (this.#cancelRetry !== undefined) return;
    this.#writing ??= this.#write();
    this.#hurry();
  }

  /** Settles when all that was added is durable, however often that is tried. */
  async idle(): Promise<void> {
    this.#leaving = true;
    this.#hurry();
    await this.#idle.promise;
    this.#leaving = false;
  }

  /** Tries no more; settles when nothing is under way in the store. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#leaving = true;
    this.#cancelRetry?.();
    this.#hurry();
    await this.#writing;
    this.#letGo();
  }

  async #write(): Promise<void> {
    const { store, backend, awaitReceipt, durable } = this.#parts;
    try {
      while (this.#entries.size > 0) {
        const ids = this.#oldest();
        const noted = store.acknowledge(backend, ids, { awaitReceipt });
        this.#hurried = false;
        this.#hurry();
        await noted;
        for (const id of ids) this.#forget(id);
        this.#backoff.reset();
        if (this.#entries.size === 0) this.#idle.resolve(undefined);
        durable();
      }
    } catch (error) {
      this.#retry(error);
    } finally {
      this.#writing = undefined;
    }
  }

  #keep(id: number, observations: number): void {
    this.#forget(id);
    this.#entries.set(id, observations);
    this.#observations += observations;
  }

  #forget(id: number): void {
    this.#observations -= this.#entries.get(id) ?? 0;
    this.#entries.delete(id);
  }

  /** As many as go together, at least one. */
  #oldest(): readonly number[] {
    const ids: number[] = [];
    let observations = 0;
    for (const [id, count] of this.#entries) {
      observations += count;
      if (ids.length > 0 && observations > COMMIT_MOST) break;
      ids.push(id);
    }
    return ids;
  }

  /** What is worth a commit does not wait for one that comes anyway. */
  #hurry(): void {
    const worth = this.#leaving || this.#observations >= COMMIT_LEAST;
    if (this.#hurried || !worth) return;
    this.#hurried = true;
    void this.#parts.store.flush();
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
