import { OperatingError } from '#bytes/failure.ts';
import type { Now } from './messages.ts';
import type { Statements } from './statements.ts';

/**
 * So many ids are given out before the row is written again, and a start goes on behind them: 64
 * starts a second use up no more than an epoch has (`ENTRIES_PER_EPOCH`).
 */
const IDS_RESERVED = 1_024;

/** The row tells of the store's clock as it stood so long ago at most. */
const CLOCK_EVERY_MS = 10_000;

/**
 * The row that is of the whole file: its epoch, the ids that may have been given out, and the
 * store's own clock (decision 0006). It would cost each commit a page, and is written now and then.
 */
export class Meta {
  readonly epoch: number;
  nextEntry: number;
  nextObservation: number;
  /** The store's clock at the last transaction. */
  elapsedMs: number;
  /** The wall clock when it was last believed. */
  readonly believedMs: number | undefined;
  readonly #statements: Statements;
  #written: Written;

  constructor(statements: Statements) {
    this.#statements = statements;
    const meta = statements.meta.get();
    if (meta === undefined) throw new OperatingError('store-damaged', 'the epoch is missing');
    const { epoch, nextEntry, nextObservation, elapsedMs, wallMs, believedMs } = meta;
    this.epoch = epoch;
    this.nextEntry = nextEntry;
    this.nextObservation = nextObservation;
    this.believedMs = believedMs ?? undefined;
    this.#written = { nextEntry, nextObservation, elapsedMs, trustedMs: wallMs ?? undefined };
    // No row is of later than the clock: the newest says what the clock has come to since.
    const newestMs = statements.newestStoredMs.get() ?? 0;
    this.elapsedMs = Math.min(Math.max(elapsedMs, newestMs), elapsedMs + CLOCK_EVERY_MS);
  }

  /** What the store's clock says on opening. */
  resumedMs(now: Pick<Now, 'wallMs' | 'belief'>): number {
    const { elapsedMs, trustedMs } = this.#written;
    // What passed while nothing ran is known only if the clock was trusted before and after: one
    // that is merely believed may have woken up years ahead.
    const awayMs = trustedMs === undefined ? 0 : (trustedMsOf(now) ?? trustedMs) - trustedMs;
    return Math.max(this.elapsedMs, elapsedMs + awayMs);
  }

  /** Moves the clock on; writes what a start must not miss, within the present transaction. */
  advance(elapsedMs: number, now: Pick<Now, 'wallMs' | 'belief'>): void {
    this.elapsedMs = Math.max(this.elapsedMs, elapsedMs);
    const { nextEntry, nextObservation, trustedMs } = this.#written;
    const idsLeft = this.nextEntry <= nextEntry && this.nextObservation <= nextObservation;
    const clockHolds =
      this.elapsedMs < this.#written.elapsedMs + CLOCK_EVERY_MS &&
      (trustedMs === undefined) === (trustedMsOf(now) === undefined);
    if (!idsLeft || !clockHolds) this.write(now);
  }

  write(now: Pick<Now, 'wallMs' | 'belief'>): void {
    const written = {
      nextEntry: this.nextEntry + IDS_RESERVED,
      nextObservation: this.nextObservation + IDS_RESERVED,
      elapsedMs: this.elapsedMs,
      trustedMs: trustedMsOf(now),
    };
    const { nextEntry, nextObservation, elapsedMs, trustedMs } = written;
    const [trusted, believed] = [trustedMs ?? null, now.wallMs ?? null];
    this.#statements.setMeta.run(nextEntry, nextObservation, elapsedMs, trusted, believed);
    this.#written = written;
  }
}

/** What stands in the row; of the clock a pair of one moment. */
interface Written {
  readonly nextEntry: number;
  readonly nextObservation: number;
  readonly elapsedMs: number;
  readonly trustedMs: number | undefined;
}

/** The wall clock, while it is not only believed but synchronised. */
function trustedMsOf({ wallMs, belief }: Pick<Now, 'wallMs' | 'belief'>): number | undefined {
  return belief?.trust === 'trusted' ? wallMs : undefined;
}
