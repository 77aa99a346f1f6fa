import { failureOf, type Failure } from '#bytes/failure.ts';
import { decodeReceipt } from '#contract/receipt.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import { Listening } from './listening.ts';

/**
 * A receipt is taken so long after it came: the back-end may well know of a message before the
 * broker's acknowledgement is durable here. And each walks what awaits a receipt: a back-end that
 * sends many does not hold the store.
 */
const INTERVAL_MS = 1000;
/** Of at most 64 KiB each; what is more is said again, since a receipt tells all up to a number. */
const WAITING_MAX = 8;
/** A back-end that says nothing for so long, though the broker took something, is forgotten. */
const OVERDUE_MS = 3_600_000;

export interface ReceiptsParts {
  readonly backend: string;
  readonly topic: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

export interface ReceiptsTally {
  readonly taken: number;
  /** Have come, and are taken soon. */
  readonly waiting: number;
  /** How often one could not be taken, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** For how long something has been waiting for the next receipt; absent where nothing is. */
  readonly awaitedMs?: number;
  readonly overdue: boolean;
  /** The broker does not let us listen; it is asked again, after a minute to an hour. */
  readonly failure?: Failure;
}

/** What the back-end itself says it has (decision 0006). All that comes is hostile. */
export class Receipts {
  readonly listening: Listening;
  readonly #parts: ReceiptsParts;
  readonly #waiting: Uint8Array[] = [];
  readonly #refused = new Map<string, number>();
  #working: Promise<void> | undefined;
  #cancelNext: (() => void) | undefined;
  #taken = 0;
  #awaitedSinceMs: number | undefined;
  #failure: Failure | undefined;

  constructor(parts: ReceiptsParts) {
    this.#parts = parts;
    this.listening = new Listening({
      ...parts,
      received: (payload) => this.#received(payload),
      granted: () => (this.#failure = undefined),
      failed: (failure) => this.#noSubscription(failure),
    });
  }

  get tally(): ReceiptsTally {
    const since = this.#awaitedSinceMs;
    const awaitedMs = since === undefined ? undefined : this.#parts.clock.monotonic() - since;
    return {
      taken: this.#taken,
      waiting: this.#waiting.length,
      refused: Object.fromEntries(this.#refused),
      ...(awaitedMs === undefined ? {} : { awaitedMs }),
      overdue: awaitedMs !== undefined && awaitedMs >= OVERDUE_MS,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  /** The broker has something of which the back-end has said nothing yet. */
  awaited(): void {
    this.#awaitedSinceMs ??= this.#parts.clock.monotonic();
  }

  /** Takes no more; settles when nothing is under way in the store. */
  async end(): Promise<void> {
    this.#waiting.length = 0;
    this.#cancelNext?.();
    await this.#working;
  }

  #received(payload: Uint8Array): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#refuse({ code: 'too-many-receipts', message: `${WAITING_MAX} are waiting` });
      return;
    }
    this.#waiting.push(Uint8Array.from(payload)); // the client's own buffer is larger
    this.#next();
  }

  #next(): void {
    if (this.#working !== undefined || this.#waiting.length === 0) return;
    this.#cancelNext ??= this.#parts.clock.after(INTERVAL_MS, () => {
      this.#cancelNext = undefined;
      const payload = this.#waiting.shift();
      if (payload === undefined) return;
      this.#working = this.#take(payload).then(() => {
        this.#working = undefined;
        this.#next();
      });
    });
  }

  async #take(payload: Uint8Array): Promise<void> {
    const { store, backend } = this.#parts;
    try {
      const { streams } = decodeReceipt(payload);
      await store.receive(backend, streams);
      this.#taken += 1;
      this.#awaitedSinceMs = undefined;
    } catch (error) {
      this.#refuse(failureOf(error));
    }
  }

  #refuse({ code, message }: Failure): void {
    const before = this.#refused.get(code) ?? 0;
    this.#refused.set(code, before + 1);
    if (before > 0) return; // the status counts them; a back-end fills no log
    const { backend, log } = this.#parts;
    log('warning', 'uplink.receipt-refused', { backend, code, message });
  }

  #noSubscription(failure: Failure): void {
    this.#failure = failure;
    const { backend, log, topic } = this.#parts;
    const { code, message } = failure;
    log('warning', 'uplink.no-receipts', { backend, topic, code, message });
  }
}

/** Lets go of what an earlier start kept for a receipt that nobody awaits any more. */
export async function releaseAwaited(store: Store, backend: string): Promise<void> {
  const streams = await store.streams(backend);
  if (streams.length === 0) return;
  await store.receive(
    backend,
    streams.map(({ stream, epoch, through }) => ({ stream, epoch, through, holes: [] })),
  );
}
