import { keptOf } from './boots.ts';
import { joinedRuns, readRun } from './kept-run.ts';
import type { KeptRun } from './messages.ts';
import { pack, unpack } from './packing.ts';
import type { RunningNumbers, SourceState } from './running.ts';
import { PACKING } from './schema.ts';
import type { OldRow, Statements } from './statements.ts';
import type { Kept, Retention } from './store.ts';

/** Rows that one commit looks at: a long overdue pruning is spread over many commits. */
const PRUNE_ROWS_MAX = 1_000;

/** So many small rows of a source become one segment; until then they lie as they came. */
const LOOSE_ROWS_MAX = 64;
const SEGMENT_BYTES_MAX = 64 << 10;

/** A row that is compressed already is packed again only while it is small. */
const LOOSE_BYTES_MAX = 4 << 10;

/** The observations kept at home; every method is a part of somebody's transaction. */
export class Shelf {
  readonly #statements: Statements;
  readonly #numbers: RunningNumbers;
  /** Rows of each source since its last segment; what an earlier life left loose stays so. */
  readonly #loose = new Map<SourceState, { rows: number; firstId: number }>();

  constructor(statements: Statements, numbers: RunningNumbers) {
    this.#statements = statements;
    this.#numbers = numbers;
  }

  keep(run: KeptRun, observations: Uint8Array, storedMs: number): void {
    const source = this.#numbers.source(run.source);
    const id = this.#numbers.nextObservation;
    const boot = this.#numbers.boots.idOf(run.boot);
    this.#insert(source, { ...run, id, storedMs, boot }, observations);
    this.#numbers.nextObservation = id + run.count;
    const loose = this.#loose.get(source) ?? { rows: 0, firstId: id };
    loose.rows += 1;
    this.#loose.set(source, loose);
    if (loose.rows < LOOSE_ROWS_MAX) return;
    this.#loose.delete(source);
    this.#gather(source, loose.firstId);
  }

  observations(source: SourceState, afterId: number, limit: number): Iterable<Kept> {
    return this.#observations(source, afterId, limit);
  }

  /** Deletes what need not be kept, by the store's clock. */
  prune({ ageMs, bytes }: Retention, storedMs: number): void {
    const horizonMs = storedMs - ageMs;
    const bySource = new Map([...this.#numbers.sources.values()].map((one) => [one.id, one]));
    const [first] = this.#statements.oldest.all(1);
    if (first !== undefined && first.storedMs < horizonMs) {
      for (const row of this.#statements.oldest.all(PRUNE_ROWS_MAX)) {
        if (row.storedMs >= horizonMs) break;
        this.#remove(bySource.get(row.source), row);
      }
    }
    for (const source of bySource.values()) this.#bound(source, bytes);
  }

  /** Frees `bytes` for what is owed, the oldest of all sources first; answers how many it freed. */
  makeRoom(bytes: number): number {
    const bySource = new Map([...this.#numbers.sources.values()].map((one) => [one.id, one]));
    let freed = 0;
    for (const row of this.#statements.oldest.all(PRUNE_ROWS_MAX)) {
      if (freed >= bytes) break;
      this.#remove(bySource.get(row.source), row);
      freed += row.bytes;
    }
    return freed;
  }

  #bound(source: SourceState, bytes: number): void {
    if (source.bytes <= bytes) return;
    for (const row of this.#statements.oldestOfSource.all(source.id, PRUNE_ROWS_MAX)) {
      this.#remove(source, row);
      if (source.bytes <= bytes) break;
    }
  }

  *#observations(source: SourceState, afterId: number, limit: number): Generator<Kept> {
    let left = limit;
    const rows = this.#statements.kept.iterate({ source: source.id, after: afterId, limit });
    for (const { id, takenMs, readings, packing, size, form, boot } of rows) {
      const correction = this.#numbers.boots.correctionOf(boot);
      const plain = unpack({ packing, size, bytes: form });
      const run =
        packing === PACKING.bare
          ? [{ id, takenMs, readings, observation: plain }]
          : readRun(plain, id);
      for (const kept of run) {
        if (kept.id <= afterId) continue;
        if (left <= 0) return;
        left -= 1;
        yield keptOf(kept, correction);
      }
    }
  }

  /** Makes segments of the small rows of `source` from `firstId` on. */
  #gather(source: SourceState, firstId: number): void {
    const rows = this.#statements.loose.all(source.id, firstId - 1, LOOSE_ROWS_MAX);
    let together: OldRow[] = [];
    let size = 0;
    for (const row of rows) {
      const fits =
        isLoose(row) && size + row.size <= SEGMENT_BYTES_MAX && row.boot === together[0]?.boot;
      if (!fits) {
        this.#join(source, together);
        [together, size] = [[], 0];
      }
      if (!isLoose(row)) continue;
      together.push(row);
      size += row.size;
    }
    this.#join(source, together);
  }

  #join(source: SourceState, rows: readonly OldRow[]): void {
    const [first] = rows;
    const last = rows.at(-1);
    if (first === undefined || last === undefined || rows.length < 2) return;
    const runs = rows.map(({ id, packing, size }) => {
      const bytes = this.#statements.form.get(id) ?? new Uint8Array(0);
      return { id, plain: unpack({ packing, size, bytes }) };
    });
    for (const row of rows) this.#remove(source, row);
    const { id } = first;
    const { takenMs, storedMs, boot } = last;
    const readings = rows.reduce((total, row) => total + row.readings, 0);
    const segment = { id, takenMs, storedMs, boot, count: last.id + last.count - id, readings };
    this.#insert(source, segment, joinedRuns(runs));
  }

  #insert(
    source: SourceState,
    row: Pick<OldRow, 'id' | 'count' | 'readings' | 'takenMs' | 'storedMs' | 'boot'>,
    observations: Uint8Array,
  ): void {
    const { id, count, readings, takenMs, storedMs, boot } = row;
    const { packing, size, bytes } = pack(observations);
    this.#statements.keep.run(
      id,
      source.id,
      count,
      readings,
      takenMs,
      storedMs,
      packing,
      size,
      bytes,
      boot,
    );
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

function isLoose({ packing, bytes }: OldRow): boolean {
  return packing !== PACKING.bare && bytes <= LOOSE_BYTES_MAX;
}
