import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { DueEntry, Owed, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import { letGo } from '#system/memory.ts';
import type { Acknowledger } from './acknowledger.ts';
import { packFrom, type Pack } from './pack.ts';
import { piecesOf, type Piece } from './pieces.ts';
import { SendQueue } from './send-queue.ts';

/** Entries of the outbox in memory. */
const PAGE_ENTRIES = 1024;
/**
 * What waits for longer than this is a backlog, and so is what fills a page of the outbox; what is
 * new overtakes it as a copy.
 */
const BACKLOG_AFTER_MS = 1000;
/** Copies that wait; of more the oldest are left to come in their order. */
const COPIES_MAX = 256;

export interface LaneParts {
  readonly of: DeliveryClass;
  readonly backend: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly acknowledger: Acknowledger;
  /** What is new waits so long for more of its kind. */
  readonly batchMs: number;
  /** What was there before the session waits so long. */
  readonly backlogDelayMs: number;
  /** An entry that is larger is divided between its observations. */
  readonly pieceBytesMax: number;
  /** Something may be sent. */
  readonly ready: () => void;
  readonly failed: (error: unknown) => void;
}

/** `live` is a copy of what comes again in its order. */
export interface Outgoing {
  readonly kind: 'up' | 'live';
  readonly pack: Pack;
}

type Range = NonNullable<Owed[DeliveryClass]>;

/**
 * What one session sends of one class: the outbox in its order and, while that is behind, copies
 * of what is new before it.
 */
export class Lane {
  readonly of: DeliveryClass;
  readonly queue = new SendQueue();
  readonly #parts: LaneParts;
  readonly #timers = new Set<() => void>();
  /** The outbox has been read up to here. */
  #afterId = 0;
  #more = true;
  /** What was read last: held here, it would be in memory until the next major collection. */
  #page: readonly DueEntry[] = [];
  #reading = false;
  #held = false;
  /** Since when something waits; nothing does when it is absent. */
  #behindSinceMs: number | undefined;
  /** The first and the last that came while something waited, and how far copies go. */
  #fresh: Range | undefined;
  #copiedThroughId = 0;
  #copies: Piece[] = [];
  #copying = false;
  /** Takes back the look at what waits, when it will be a backlog. */
  #cancelLook: (() => void) | undefined;

  constructor(parts: LaneParts) {
    this.of = parts.of;
    this.#parts = parts;
    this.#behindSinceMs = parts.clock.monotonic();
    if (parts.backlogDelayMs > 0) {
      this.#hold(parts.backlogDelayMs);
      this.#behindSinceMs -= BACKLOG_AFTER_MS; // it is one already
    }
  }

  /** Whether something waits that came before what is new. */
  get behind(): boolean {
    return this.#behindSinceMs !== undefined;
  }

  /** A commit has added these, or made them due again. */
  woken(range: Range): void {
    const { clock, batchMs } = this.#parts;
    this.#more = true;
    if (this.#behindSinceMs === undefined) {
      this.#behindSinceMs = clock.monotonic() + batchMs;
      if (batchMs > 0) this.#hold(batchMs);
    }
    if (range.firstId <= this.#afterId) {
      this.#readAgain(range.firstId); // due again, not new
      return;
    }
    this.#fresh = { firstId: this.#fresh?.firstId ?? range.firstId, lastId: range.lastId };
    this.#copy();
  }

  /** The stream's entries after `throughId` are due again. */
  resume(stream: string, throughId: number): void {
    this.#readAgain(Math.min(throughId + 1, this.queue.resume(stream)));
  }

  /** The stream that its queue held goes on. */
  letGo(): void {
    this.#readAgain(this.queue.letGo());
  }

  /** Sends the observations of these entries one by one, to find one that is refused. */
  alone(entries: readonly DueEntry[]): void {
    const leftId = this.queue.addAlone(entries);
    this.#readAgain(Math.min((entries.at(-1)?.id ?? Infinity) + 1, leftId));
  }

  /** The next pack of at most `bytesMax`. */
  next(bytesMax: number): Outgoing | undefined {
    this.#copies = this.#copies.filter(({ id }) => id > this.#afterId); // its turn has come
    const copies = packFrom(this.#copies, bytesMax);
    if (copies !== undefined) {
      this.#copies = copies.rest;
      return { kind: 'live', pack: copies.pack };
    }
    const pack = this.queue.next(bytesMax);
    return pack && { kind: 'up', pack };
  }

  /** Reads on when all that was read has been sent. */
  fill(): void {
    if (this.#reading || this.#held || this.queue.pending > 0) return;
    if (this.#more) void this.#read();
    else this.#caughtUp();
  }

  end(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** The outbox is to be read again from `fromId` on, if it has been read so far. */
  #readAgain(fromId: number): void {
    this.#afterId = Math.min(this.#afterId, fromId - 1);
    this.#more = true;
  }

  #caughtUp(): void {
    this.#behindSinceMs = undefined;
    this.#fresh = undefined;
  }

  async #read(): Promise<void> {
    const { store, backend, acknowledger, failed } = this.#parts;
    this.#reading = true;
    this.#more = false;
    const afterId = this.#afterId;
    const fresh = this.#fresh;
    this.#letGoOfPage();
    try {
      const entries = await store.due(backend, this.of, afterId, PAGE_ENTRIES);
      this.#page = entries;
      this.#more ||= entries.length > 0;
      const lastId = entries.at(-1)?.id ?? afterId;
      // Where the mark was moved back meanwhile, something else comes before these.
      if (this.#afterId === afterId) {
        this.#afterId = lastId;
        const owed = entries.filter(({ id }) => !acknowledger.holds(id));
        this.queue.add(owed, this.#parts.pieceBytesMax);
      }
      // A page that does not reach what had come before it was asked for is full.
      if (entries.length > 0 && lastId < (fresh?.firstId ?? 0)) this.#isBacklog();
    } catch (error) {
      failed(error);
    }
    this.#reading = false;
    this.#parts.ready();
  }

  /** All in it has been made payloads of, and is read again if a broker refuses it. */
  #letGoOfPage(): void {
    letGo(this.#page.map(({ records }) => records));
    this.#page = [];
  }

  #isBacklog(): void {
    const sinceMs = this.#parts.clock.monotonic() - BACKLOG_AFTER_MS;
    this.#behindSinceMs = Math.min(this.#behindSinceMs ?? sinceMs, sinceMs);
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#copy();
  }

  /** Copies of what is new, as soon as there is a backlog. */
  #copy(): void {
    if (this.#copying || this.#behindSinceMs === undefined || this.#fresh === undefined) return;
    const waitMs = this.#behindSinceMs + BACKLOG_AFTER_MS - this.#parts.clock.monotonic();
    if (waitMs <= 0) void this.#readCopies(this.#fresh);
    else {
      this.#cancelLook ??= this.#after(waitMs, () => {
        this.#cancelLook = undefined;
        this.#copy();
      });
    }
  }

  async #readCopies({ firstId, lastId }: Range): Promise<void> {
    const { store, backend, ready, failed } = this.#parts;
    this.#copying = true;
    const afterId = Math.max(firstId - 1, this.#copiedThroughId, this.#afterId);
    try {
      const entries =
        afterId < lastId ? await store.due(backend, this.of, afterId, COPIES_MAX) : [];
      this.#copiedThroughId = entries.at(-1)?.id ?? lastId;
      const wanted = entries.filter(({ stream }) => !this.queue.refusals.has(stream));
      const pieces = wanted.flatMap((entry) => piecesOf(entry, this.#parts.pieceBytesMax));
      this.#copies = [...this.#copies, ...pieces].slice(-COPIES_MAX);
    } catch (error) {
      failed(error);
    }
    this.#copying = false;
    ready();
    if (this.#fresh !== undefined && this.#fresh.lastId > this.#copiedThroughId) this.#copy();
  }

  #hold(durationMs: number): void {
    this.#held = true;
    this.#after(durationMs, () => {
      this.#held = false;
      this.#parts.ready();
    });
  }

  #after(delayMs: number, run: () => void): () => void {
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
    return cancel;
  }
}
