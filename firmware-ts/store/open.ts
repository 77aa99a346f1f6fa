import assert from 'node:assert/strict';
import { type Failure, OperatingError } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { type Clock, machineClock } from '#system/clock.ts';
import { type Entropy, machineEntropy } from '#system/entropy.ts';
import { Caller } from './caller.ts';
import { assertAppend } from './check.ts';
import { Committer, type CommitterParts } from './committer.ts';
import type { Batch, Now, OwedBy } from './messages.ts';
import type { Acknowledgement, Append, DueEntry, Kept, NamedGap, Opening } from './store.ts';
import type { Owed, Quarantined, Receipt, Retention, SetAside } from './store.ts';
import { OUTBOX_RETENTION, RETENTION } from './store.ts';
import type { Standing, Store, StoreCounts, StreamStanding } from './store.ts';

export interface StoreOptions {
  /** Holds the database; made with mode 0700 if it is not there. */
  readonly directory: string;
  /** Of each source at home. */
  readonly retention?: Retention;
  /** Of each back-end's outbox, by its name. */
  readonly outboxes?: Readonly<Record<string, Retention>>;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  /** Observations that one entry of the outbox may hold, where not as many as are good. */
  readonly runCountMax?: number;
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
  const openedAtMs = clock.monotonic();
  const now = (): Now => ({ openMs: clock.monotonic() - openedAtMs, ...believedWall(clock) });
  const caller = new Caller(threadFile, {
    directory,
    retention,
    outboxes: options.outboxes ?? {},
    outboxRetention: OUTBOX_RETENTION,
    newEpoch: newEpoch(clock, options.entropy ?? machineEntropy),
    now: now(),
    ...(addonFile === undefined ? {} : { addonFile }),
  });
  return new ThreadedStore(
    caller,
    { clock, now, runCountMax: options.runCountMax },
    await caller.opened,
  );
}

function believedWall(clock: Clock): { wallMs?: number } {
  const { second, nanosecond, trust } = clock.wall();
  return trust === 'untrusted' ? {} : { wallMs: second * 1000 + Math.floor(nanosecond / 1e6) };
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
  readonly #now: () => Now;
  readonly #wakes = new Map<string, Set<(owed: Owed) => void>>();
  readonly #reports = new Set<(setAside: SetAside) => void>();
  readonly #gapReports = new Set<(gap: NamedGap) => void>();
  #closing: Promise<void> | undefined;

  constructor(caller: Caller, parts: Omit<CommitterParts, 'commit'>, opening: Opening) {
    this.opening = opening;
    this.#caller = caller;
    this.#now = parts.now;
    const commit = async (batch: Batch): Promise<void> => {
      this.#wake(await caller.call('commit', batch, [batch.bytes]));
    };
    this.#committer = new Committer({ ...parts, commit });
    caller.onSetAside = (anew) => {
      this.opening = anew;
      for (const report of this.#reports) if (anew.setAside !== undefined) report(anew.setAside);
    };
    caller.onNamed = (gaps) => {
      for (const gap of gaps) for (const report of this.#gapReports) report(gap);
    };
  }

  async append(append: Append): Promise<void> {
    assertAppend(append);
    this.#assertOpen();
    return this.#committer.append(append);
  }

  async acknowledge(
    backend: string,
    ids: readonly number[],
    { awaitReceipt }: Acknowledgement = { awaitReceipt: false },
  ): Promise<void> {
    this.#assertOpen();
    return this.#committer.acknowledge({ backend, ids, awaitReceipt });
  }

  async due(
    backend: string,
    of: DeliveryClass,
    afterId: number,
    limit: number,
  ): Promise<readonly DueEntry[]> {
    this.#assertOpen();
    return this.#caller.call('due', { ...page(backend, afterId, limit), class: of });
  }

  async quarantine(backend: string, id: number, failure: Failure): Promise<void> {
    this.#assertOpen();
    await this.#caller.call('quarantine', { backend, id, failure, now: this.#now() });
  }

  async quarantined(backend: string): Promise<readonly Quarantined[]> {
    this.#assertOpen();
    return this.#caller.call('quarantined', backend);
  }

  async entry(backend: string, id: number): Promise<DueEntry | undefined> {
    this.#assertOpen();
    return this.#caller.call('entry', { backend, id });
  }

  async resend(backend: string, id: number): Promise<boolean> {
    this.#assertOpen();
    const owed = await this.#caller.call('resend', { backend, id, now: this.#now() });
    this.#wake(owed ?? {});
    return owed !== undefined;
  }

  async discard(backend: string, id: number): Promise<boolean> {
    this.#assertOpen();
    return this.#caller.call('discard', { backend, id, now: this.#now() });
  }

  async receive(backend: string, receipts: readonly Receipt[]): Promise<void> {
    this.#assertOpen();
    this.#wake(await this.#caller.call('receive', { backend, receipts, now: this.#now() }));
  }

  async standing(backend: string): Promise<Standing> {
    this.#assertOpen();
    return this.#caller.call('standing', { backend, now: this.#now() });
  }

  async streams(backend: string): Promise<readonly StreamStanding[]> {
    this.#assertOpen();
    return this.#caller.call('streams', backend);
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

  onDue(backend: string, wake: (owed: Owed) => void): () => void {
    const wakes = this.#wakes.get(backend) ?? new Set();
    this.#wakes.set(backend, wakes.add(wake));
    return () => wakes.delete(wake);
  }

  onGap(report: (gap: NamedGap) => void): () => void {
    this.#gapReports.add(report);
    return () => this.#gapReports.delete(report);
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

  /** In a turn of its own: a listener that throws must not make a kept batch look refused. */
  #wake(by: OwedBy): void {
    queueMicrotask(() => {
      for (const [backend, owed] of Object.entries(by)) {
        for (const wake of this.#wakes.get(backend) ?? []) wake(owed);
      }
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new OperatingError('store-closed', 'it is closing');
  }
}

function page(name: string, afterId: number, limit: number) {
  return { name, afterId, limit: Math.min(limit, PAGE_ROWS_MAX) };
}
