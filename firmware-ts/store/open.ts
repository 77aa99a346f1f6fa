import assert from 'node:assert/strict';
import { type Failure, OperatingError } from '#bytes/failure.ts';
import { type Clock, machineClock } from '#system/clock.ts';
import { type Entropy, machineEntropy } from '#system/entropy.ts';
import { Caller } from './caller.ts';
import { assertAppend } from './check.ts';
import { Committer } from './committer.ts';
import type { Append, DueEntry, Kept, Opening, Retention } from './store.ts';
import { RETENTION } from './store.ts';
import type { SetAside, Store, StoreCounts } from './store.ts';

export interface StoreOptions {
  /** Holds the database; made with mode 0700 if it is not there. */
  readonly directory: string;
  readonly retention?: Retention;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  /** The thread's file, where it is not beside this one. */
  readonly threadFile?: URL;
  /** better-sqlite3's native add-on, where it does not lie in its package: in a bundle. */
  readonly addonFile?: string;
}

/** Rows that one page answers at most; its bytes are bounded too (`ledger.ts`). */
const PAGE_ROWS_MAX = 10_000;

/**
 * Starts the store's thread and opens the file.
 * Errors: `store-locked`, `disk-full`, `disk-error`, `disk-read-only`, `store-died`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { directory, retention = RETENTION, clock = machineClock, addonFile } = options;
  assert.ok(retention.ageMs > 0 && retention.bytes > 0, 'something must be retained');
  const { threadFile = threadFileBeside(import.meta.url) } = options;
  const caller = new Caller(threadFile, {
    directory,
    retention,
    newEpoch: newEpoch(clock, options.entropy ?? machineEntropy),
    ...(addonFile === undefined ? {} : { addonFile }),
  });
  return new ThreadedStore(caller, clock, await caller.opened);
}

/** The thread's program is a file of its own beside this one, in the sources and in the bundle. */
function threadFileBeside(module: string): URL {
  return new URL(module.endsWith('.ts') ? './thread.ts' : './thread.mjs', module);
}

/**
 * Later lives have greater epochs while the clock is right. A clock that stands in the past gives
 * a random number below all right ones instead, so that two lives do not share an epoch.
 */
function newEpoch(clock: Clock, entropy: Entropy): number {
  const { second, trust } = clock.wall();
  return trust === 'untrusted' ? 1 + Math.floor(entropy.fraction() * 2 ** 30) : second;
}

class ThreadedStore implements Store {
  opening: Opening;
  readonly #caller: Caller;
  readonly #committer: Committer;
  readonly #wakes = new Map<string, Set<() => void>>();
  readonly #reports = new Set<(setAside: SetAside) => void>();
  #closing: Promise<void> | undefined;

  constructor(caller: Caller, clock: Clock, opening: Opening) {
    this.opening = opening;
    this.#caller = caller;
    this.#committer = new Committer(clock, async (batch) => {
      const owed = await caller.call('commit', batch, [batch.bytes]);
      // A listener that throws must not make a kept batch look refused.
      queueMicrotask(() => this.#wake(owed));
    });
    caller.onSetAside = (anew) => {
      this.opening = anew;
      for (const report of this.#reports) if (anew.setAside !== undefined) report(anew.setAside);
    };
  }

  async append(append: Append): Promise<void> {
    assertAppend(append);
    this.#assertOpen();
    return this.#committer.append(append);
  }

  async acknowledge(backend: string, ids: readonly number[]): Promise<void> {
    this.#assertOpen();
    return this.#committer.acknowledge({ backend, ids });
  }

  async due(backend: string, afterId: number, limit: number): Promise<readonly DueEntry[]> {
    this.#assertOpen();
    return this.#caller.call('due', page(backend, afterId, limit));
  }

  async observations(source: string, afterId: number, limit: number): Promise<readonly Kept[]> {
    this.#assertOpen();
    return this.#caller.call('observations', page(source, afterId, limit));
  }

  async counts(): Promise<StoreCounts> {
    this.#assertOpen();
    return this.#caller.call('counts', undefined);
  }

  get died(): Promise<Failure> {
    return this.#caller.died;
  }

  onDue(backend: string, wake: () => void): () => void {
    const wakes = this.#wakes.get(backend) ?? new Set();
    this.#wakes.set(backend, wakes.add(wake));
    return () => wakes.delete(wake);
  }

  onSetAside(report: (setAside: SetAside) => void): () => void {
    this.#reports.add(report);
    return () => this.#reports.delete(report);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#committer.flush();
    await this.#caller.call('close', undefined);
    await this.#caller.exited;
  }

  #wake(backends: readonly string[]): void {
    for (const backend of backends) for (const wake of this.#wakes.get(backend) ?? []) wake();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new OperatingError('store-closed', 'it is closing');
  }
}

function page(name: string, afterId: number, limit: number) {
  return { name, afterId, limit: Math.min(limit, PAGE_ROWS_MAX) };
}
