import { Writer } from '#bytes/cursor.ts';
import { readParts, writeSource } from './kept-run.ts';
import { pack, unpack } from './packing.ts';
import type { Segment } from './segments.ts';
import { SEGMENT_BYTES_MAX } from './segments.ts';
import type { Statements, UnsortedRow } from './statements.ts';

/** So much is sorted at once: a segment of each source, where they are few. */
const SORTED_BYTES_MAX = 1 << 20;

/** What is told of a row beside its bytes. */
export type RowHead = Pick<
  UnsortedRow,
  'id' | 'count' | 'readings' | 'takenMs' | 'storedMs' | 'boot'
>;

/**
 * What commits have kept of all sources, as it came: each row costs pages, and a few meters would
 * need one each. Who reads one source looks through all of it. Methods are parts of a transaction.
 */
export class Unsorted {
  readonly #statements: Statements;
  /** Plain. */
  #bytes: number;
  #growing: Together | undefined;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.#bytes = statements.unsortedBytes.get() ?? 0;
  }

  /** Adds a run of `source`; its ids follow those of the one before. Ends with `finish`. */
  add(source: number, head: RowHead, plain: Uint8Array): void {
    if (this.#growing?.takes(head, plain.length) !== true) {
      this.finish();
      this.#growing = new Together(head);
    }
    this.#growing.add(source, head, plain);
  }

  /** Writes what was added. */
  finish(): void {
    const together = this.#growing;
    this.#growing = undefined;
    if (together === undefined) return;
    const { id, count, readings, takenMs, storedMs, boot } = together.head;
    const { packing, size, bytes } = pack(together.bytes.finish());
    const numbers = [count, readings, takenMs, storedMs, packing, size];
    this.#statements.leave.run(id, ...numbers, bytes, boot);
    this.#bytes += size;
  }

  /** Whether there is about a segment of each source. */
  isMuch(sources: number): boolean {
    return this.#bytes >= Math.min(SEGMENT_BYTES_MAX * Math.max(1, sources), SORTED_BYTES_MAX);
  }

  /** Takes the oldest out, about so much as `isMuch`. Errors: `store-damaged`. */
  take(): readonly Segment[] {
    const parts: Segment[] = [];
    for (let taken = 0; taken < SORTED_BYTES_MAX;) {
      const row = this.#statements.oldestUnsorted.get();
      if (row === undefined) break;
      const { id, packing, size, storedMs, boot } = row;
      const bytes = this.#statements.unsortedForm.get(id) ?? new Uint8Array(0);
      const plain = unpack({ packing, size, bytes });
      parts.push(...readParts(plain, id).map((part) => ({ ...part, storedMs, boot })));
      this.#remove(row);
      taken += size;
    }
    return parts;
  }

  /** Deletes what is older than `horizonMs` by the store's clock. */
  prune(horizonMs: number): void {
    for (;;) {
      const row = this.#statements.oldestUnsorted.get();
      if (row === undefined || row.storedMs >= horizonMs) return;
      this.#remove(row);
    }
  }

  /** Frees `bytes`, the oldest first; answers how many it freed. */
  makeRoom(bytes: number): number {
    let freed = 0;
    while (freed < bytes) {
      const row = this.#statements.oldestUnsorted.get();
      if (row === undefined) break;
      this.#remove(row);
      freed += row.bytes;
    }
    return freed;
  }

  #remove({ id, size }: UnsortedRow): void {
    this.#statements.removeUnsorted.run(id);
    this.#bytes -= size;
  }
}

/** A row while it grows. */
class Together {
  readonly bytes = new Writer();
  head: RowHead;

  constructor(head: RowHead) {
    this.head = { ...head, count: 0, readings: 0 };
  }

  takes({ boot }: RowHead, length: number): boolean {
    return boot === this.head.boot && this.bytes.length + length <= SEGMENT_BYTES_MAX;
  }

  add(source: number, { count, readings, takenMs }: RowHead, plain: Uint8Array): void {
    writeSource(this.bytes, source);
    this.bytes.bytes(plain);
    const { count: counted, readings: read } = this.head;
    this.head = { ...this.head, count: counted + count, readings: read + readings, takenMs };
  }
}
