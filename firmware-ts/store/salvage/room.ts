import type { Database } from 'better-sqlite3';

/** Kept free for what is not counted: gaps, streams, names. */
const MARGIN_BYTES = 64 << 10;
/** What a row takes beyond its content, in its table and in indexes, and in half-empty pages. */
const ROW_BYTES = 256;

/** What a file may still grow by, before the disk is full. */
export class Room {
  readonly #bytesMax: number;
  readonly #takenBytes: () => number;
  /** Counted now and then; in between it is rather too much. */
  #estimate: number;

  constructor(database: Database, bytesMax: number) {
    this.#bytesMax = bytesMax - MARGIN_BYTES;
    const pageBytes = Number(database.pragma('page_size', { simple: true }));
    const pages = database.prepare<[], number>('SELECT * FROM pragma_page_count').pluck();
    const free = database.prepare<[], number>('SELECT * FROM pragma_freelist_count').pluck();
    this.#takenBytes = () => ((pages.get() ?? 0) - (free.get() ?? 0)) * pageBytes;
    this.#estimate = this.#takenBytes();
  }

  /** Whether a row of so many bytes fits; if so it is counted. */
  take(bytes: number): boolean {
    const added = 2 * bytes + ROW_BYTES;
    if (this.#estimate + added > this.#bytesMax) this.#estimate = this.#takenBytes();
    if (this.#estimate + added > this.#bytesMax) return false;
    this.#estimate += added;
    return true;
  }
}
