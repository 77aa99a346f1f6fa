import { Worker } from 'node:worker_threads';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, errorOf, failureOf } from '#bytes/failure.ts';
import type { Caller } from './caller.ts';
import type { CallName, Calls, Reply, ThreadSetting } from './messages.ts';
import type { NamedGap, Opening } from './store.ts';

/** Pages of a backlog are gone at once: V8 would let young ones grow to several times this. */
const YOUNG_MEGABYTES = 6;

/** Asks the store's thread and matches its answers; the death of the thread rejects all. */
export class ThreadCaller implements Caller {
  onSetAside: ((opening: Opening) => void) | undefined;
  onNamed: ((gaps: readonly NamedGap[]) => void) | undefined;
  readonly #worker: Worker;
  readonly #opened = Promise.withResolvers<Opening>();
  readonly #exited = Promise.withResolvers<undefined>();
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  readonly #died = Promise.withResolvers<Failure>();
  #death: OperatingError | undefined;
  #closing = false;

  constructor(threadFile: URL, setting: ThreadSetting) {
    this.#worker = new Worker(threadFile, {
      name: 'store',
      workerData: setting,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    this.#worker.on('message', (reply: Reply) => this.#take(reply));
    this.#worker.on('error', (cause) => this.#die(cause));
    this.#worker.on('exit', () => {
      this.#die(undefined);
      this.#exited.resolve(undefined);
    });
  }

  get opened(): Promise<Opening> {
    return this.#opened.promise;
  }

  get exited(): Promise<unknown> {
    return this.#exited.promise;
  }

  get died(): Promise<Failure> {
    return this.#died.promise;
  }

  call<Name extends CallName>(
    call: Name,
    ask: Calls[Name]['ask'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Calls[Name]['answer']> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    if (call === 'close') this.#closing = true;
    const id = this.#nextId;
    this.#nextId += 1;
    const waiter = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiter);
    this.#worker.postMessage({ id, call, ask }, transfer);
    // The thread answers each call by its own kind (`answer` in thread.ts).
    return waiter.promise as Promise<Calls[Name]['answer']>;
  }

  #take(reply: Reply): void {
    switch (reply.kind) {
      case 'opened':
        this.#opened.resolve(reply.opening);
        break;
      case 'refused':
        this.#opened.reject(errorOf(reply.failure));
        break;
      case 'set-aside':
        this.onSetAside?.(reply.opening);
        break;
      case 'named':
        this.onNamed?.(reply.gaps);
        break;
      case 'answer':
        this.#settle(reply.id)?.resolve(reply.answer);
        break;
      case 'failed':
        this.#settle(reply.id)?.reject(errorOf(reply.failure));
    }
  }

  #settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiter;
  }

  #die(cause: unknown): void {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    this.#death ??= new OperatingError('store-died', `the thread of the store has ended${why}`, {
      hint: 'start normd again: what was confirmed is in the file',
      cause,
    });
    this.#opened.reject(this.#death);
    if (!this.#closing) this.#died.resolve(failureOf(this.#death));
    for (const waiter of this.#waiting.values()) waiter.reject(this.#death);
    this.#waiting.clear();
  }
}
