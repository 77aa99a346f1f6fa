import { linkSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, errorOf, failureOf } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import { Books } from './books.ts';
import type { Caller } from './caller.ts';
import { diskFailure, isUnusableFile } from './disk-failure.ts';
import type { CallName, Calls, Request, ThreadSetting } from './messages.ts';
import type { FreeBytes } from './reserve.ts';
import { ServedStore } from './served-store.ts';
import type { StoreOptions } from './setting.ts';
import { settingOf } from './setting.ts';
import type { NamedGap, Opening, Store } from './store.ts';

export interface HereOptions extends StoreOptions {
  /** Of the store's clock, from what is done to its answer: a crash may fall between. */
  readonly answerDelayMs?: number;
  /** Of the disk; the machine's unless given. Without room the outbox does not grow. */
  readonly freeBytes?: FreeBytes;
}

/** A store in the caller's own thread, which can be killed. */
export interface StoreHere extends Store {
  /**
   * As a `kill -9`: nothing waiting is written, no promise settles any more, and the file is as it
   * was, with its log; it can be opened again at once.
   */
  abandon(): void;
}

/**
 * For simulations: the same ledger in the caller's own thread, so that all that happens follows
 * from the order of turns. Commits outlive the process, and no power cut. Errors: as `openStore`.
 */
export async function openStoreHere(options: HereOptions): Promise<StoreHere> {
  const { books, committer } = settingOf(options);
  const caller = new HereCaller({ ...books, outlives: 'process' }, committer.clock, options);
  const store = new ServedStore(caller, committer, await caller.opened);
  return Object.assign(store, { abandon: () => caller.abandon() });
}

class HereCaller implements Caller {
  onSetAside: ((opening: Opening) => void) | undefined;
  onNamed: ((gaps: readonly NamedGap[]) => void) | undefined;
  readonly opened: Promise<Opening>;
  /** Calls cannot end the books here. */
  readonly died: Promise<Failure> = new Promise(() => undefined);
  readonly #clock: Clock;
  readonly #answerDelayMs: number;
  readonly #exited = Promise.withResolvers<undefined>();
  #books: Books | undefined;
  #dead = false;
  #nextId = 1;

  constructor(
    setting: ThreadSetting,
    clock: Clock,
    { answerDelayMs = 0, freeBytes }: Pick<HereOptions, 'answerDelayMs' | 'freeBytes'>,
  ) {
    this.#clock = clock;
    this.#answerDelayMs = answerDelayMs;
    this.opened = this.#open(setting, freeBytes);
  }

  get exited(): Promise<unknown> {
    return this.#exited.promise;
  }

  call<Name extends CallName>(call: Name, ask: Calls[Name]['ask']): Promise<Calls[Name]['answer']> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answered = Promise.withResolvers<unknown>();
    // Call and ask have the same name (`Calls`); a union does not see that.
    queueMicrotask(() => this.#serve({ id, call, ask } as Request, answered));
    return answered.promise as Promise<Calls[Name]['answer']>;
  }

  abandon(): void {
    const books = this.#books;
    this.#books = undefined;
    this.#dead = true;
    if (books !== undefined) keepingLog(books.opening.file, () => books.release());
  }

  async #open(setting: ThreadSetting, freeBytes?: FreeBytes): Promise<Opening> {
    await Promise.resolve();
    try {
      this.#books = new Books(
        setting,
        {
          replaced: (opening) => this.#tell(() => this.onSetAside?.(opening)),
          named: (gaps) => this.#tell(() => this.onNamed?.(gaps)),
        },
        freeBytes,
      );
      return this.#books.opening;
    } catch (error) {
      throw errorOf(failureOf(diskFailure(error)));
    }
  }

  /** Answers are copies, as they are between threads. */
  #serve(request: Request, { resolve, reject }: PromiseWithResolvers<unknown>): void {
    const books = this.#books;
    if (books === undefined) {
      this.#tell(() => reject(new OperatingError('store-died', 'the file is closed')));
      return;
    }
    try {
      const answer = structuredClone(books.answer(request));
      this.#answer(() => resolve(answer));
    } catch (error) {
      const failure = diskFailure(error);
      this.#answer(() => reject(errorOf(failureOf(failure))));
      if (isUnusableFile(failure)) books.condemn(failure);
    }
    if (request.call !== 'close') return;
    this.#books = undefined;
    this.#exited.resolve(undefined);
  }

  #answer(settle: () => void): void {
    if (this.#answerDelayMs === 0) this.#tell(settle);
    else this.#clock.after(this.#answerDelayMs, () => this.#tell(settle));
  }

  /** In a turn of its own, as if it came from a thread; nothing is heard of the dead. */
  #tell(news: () => void): void {
    queueMicrotask(() => {
      if (!this.#dead) news();
    });
  }
}

/** Closing empties the log into the database and deletes it; a process that dies does neither. */
function keepingLog(file: string, close: () => void): void {
  const log = `${file}-wal`;
  const kept = `${log}.kept`;
  rmSync(kept, { force: true });
  const present = statSync(log, { throwIfNoEntry: false }) !== undefined;
  if (present) linkSync(log, kept);
  close();
  if (present) renameSync(kept, log);
}
