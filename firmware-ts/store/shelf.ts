import { keptOf } from './boots.ts';
import { readParts, readRun } from './kept-run.ts';
import type { KeptRun } from './messages.ts';
import { pack, unpack } from './packing.ts';
import type { RunningNumbers, SourceState } from './running.ts';
import { PACKING } from './schema.ts';
import { segmentsOf } from './segments.ts';
import type { KeptRow, OldRow, Statements } from './statements.ts';
import type { Kept, Retention } from './store.ts';
import type { RowHead } from './unsorted.ts';
import { Unsorted } from './unsorted.ts';

/** Rows that one commit looks at: a long overdue pruning is spread over many commits. */
const PRUNE_ROWS_MAX = 1_000;

/** A run of so much gains nothing by lying with others, and would only be written once more. */
const OWN_ROW_LEAST_BYTES = 8 << 10;

/** The observations kept at home; every method is a part of somebody's transaction. */
export class Shelf {
  readonly #statements: Statements;
  readonly #numbers: RunningNumbers;
  readonly #unsorted: Unsorted;

  constructor(statements: Statements, numbers: RunningNumbers) {
    this.#statements = statements;
    this.#numbers = numbers;
    this.#unsorted = new Unsorted(statements);
  }

  /** Keeps runs whose bytes lie one after another; answers how many these are. */
  keep(runs: readonly KeptRun[], bytes: Uint8Array, storedMs: number): number {
    let offset = 0;
    for (const run of runs) {
      this.#keep(run, bytes.subarray(offset, offset + run.length), storedMs);
      offset += run.length;
    }
    this.#unsorted.finish();
    return offset;
  }

  /** What comes after `afterId`, oldest first. */
  *observations(source: SourceState, afterId: number, limit: number): Generator<Kept> {
    let left = limit;
    for (const row of this.#statements.kept.iterate({ source: source.id, after: afterId })) {
      for (const kept of this.#observationsIn(row, source)) {
        if (kept.id <= afterId) continue;
        if (left <= 0) return;
        left -= 1;
        yield kept;
      }
    }
  }

  /** Newest first. */
  *newest(source: SourceState, limit: number): Generator<Kept> {
    let left = limit;
    for (const row of this.#statements.newestKept.iterate(source.id)) {
      for (const kept of [...this.#observationsIn(row, source)].reverse()) {
        if (left <= 0) return;
        left -= 1;
        yield kept;
      }
    }
  }

  /** Sorts what has come together into rows of one source each, once that is enough. */
  sort(): void {
    if (!this.#unsorted.isMuch(this.#numbers.sources.size)) return;
    const sources = this.#sourcesById();
    for (const segment of segmentsOf(this.#unsorted.take(), this.#statements)) {
      const source = sources.get(segment.source);
      if (source !== undefined) this.#insert(source, segment, segment.plain);
    }
  }

  /** Deletes what need not be kept, by the store's clock. */
  prune({ ageMs, bytes }: Retention, storedMs: number): void {
    const horizonMs = storedMs - ageMs;
    const sources = this.#sourcesById();
    const [first] = this.#statements.oldest.all(1);
    if (first !== undefined && first.storedMs < horizonMs) {
      for (const row of this.#statements.oldest.all(PRUNE_ROWS_MAX)) {
        if (row.storedMs >= horizonMs) break;
        this.#remove(sources.get(row.source), row);
      }
    }
    this.#unsorted.prune(horizonMs);
    for (const source of sources.values()) this.#bound(source, bytes);
  }

  /** Frees `bytes` for what is owed, the oldest of all sources first; answers how many it freed. */
  makeRoom(bytes: number): number {
    const sources = this.#sourcesById();
    let freed = 0;
    for (const row of this.#statements.oldest.all(PRUNE_ROWS_MAX)) {
      if (freed >= bytes) break;
      this.#remove(sources.get(row.source), row);
      freed += row.bytes;
    }
    return freed + this.#unsorted.makeRoom(bytes - freed);
  }

  #keep(run: KeptRun, plain: Uint8Array, storedMs: number): void {
    const { count, readings, takenMs } = run;
    const source = this.#numbers.source(run.source);
    const id = this.#numbers.meta.nextObservation;
    this.#numbers.meta.nextObservation = id + count;
    const boot = this.#numbers.boots.idOf(run.boot);
    const head = { id, count, readings, takenMs, storedMs, boot };
    if (plain.length < OWN_ROW_LEAST_BYTES) {
      this.#unsorted.add(source.id, head, plain);
      return;
    }
    this.#unsorted.finish(); // ids in a row of several follow each other
    this.#insert(source, head, plain);
  }

  #bound(source: SourceState, bytes: number): void {
    if (source.bytes <= bytes) return;
    for (const row of this.#statements.oldestOfSource.all(source.id, PRUNE_ROWS_MAX)) {
      this.#remove(source, row);
      if (source.bytes <= bytes) break;
    }
  }

  *#observationsIn(row: KeptRow, source: SourceState): Generator<Kept> {
    const correction = this.#numbers.boots.correctionOf(row.boot);
    for (const kept of observationsIn(row, source)) yield keptOf(kept, correction);
  }

  #sourcesById(): ReadonlyMap<number, SourceState> {
    return new Map([...this.#numbers.sources.values()].map((one) => [one.id, one]));
  }

  #insert(source: SourceState, head: RowHead, plain: Uint8Array): void {
    const { id, count, readings, takenMs, storedMs, boot } = head;
    const { packing, size, bytes } = pack(plain);
    const numbers = [count, readings, takenMs, storedMs, packing, size];
    this.#statements.keep.run(id, source.id, ...numbers, bytes, boot);
    source.bytes += bytes.length;
    source.changed = true;
  }

  #remove(source: SourceState | undefined, { id, bytes }: OldRow): void {
    this.#statements.remove.run(id);
    if (source === undefined) return;
    source.bytes -= bytes;
    source.changed = true;
  }
}

/** What a row holds of a source. Errors: `store-damaged`. */
function* observationsIn(row: KeptRow, { id: source }: SourceState): Generator<Kept> {
  const { id, takenMs, readings, packing, size, form, several } = row;
  const plain = unpack({ packing, size, bytes: form });
  if (packing === PACKING.bare) yield { id, takenMs, readings, observation: plain };
  else if (several === 0) yield* readRun(plain, id);
  else {
    for (const part of readParts(plain, id)) {
      if (part.source === source) yield* readRun(part.plain, part.id);
    }
  }
}
