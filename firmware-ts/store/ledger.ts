import type { Database } from 'better-sqlite3';
import type { Acknowledged, Batch, BatchAppend, BatchOutput, Page } from './messages.ts';
import { prune } from './prune.ts';
import { RunningNumbers } from './running.ts';
import { type Statements, prepareStatements } from './statements.ts';
import type { DueEntry, Kept, Retention, StoreCounts } from './store.ts';

/** A page's bytes, so that one answer never holds a whole backlog in memory. */
const PAGE_BYTES_MAX = 4 << 20;

/** SQLite's own limit (sqlite.org/limits.html). */
const PAGE_COUNT_MAX = 0xffff_fffe;

/** The books: every method is at most one transaction on one open database; for the thread. */
export class Ledger {
  readonly #database: Database;
  readonly #retention: Retention;
  readonly #statements: Statements;
  readonly #stored = new Map<string, number>();
  #numbers: RunningNumbers;
  /** A transaction failed: what `#numbers` says may not be so. */
  #stale = false;

  constructor(database: Database, retention: Retention) {
    this.#database = database;
    this.#retention = retention;
    this.#statements = prepareStatements(database);
    this.#numbers = new RunningNumbers(this.#statements);
  }

  get epoch(): number {
    return this.#numbers.epoch;
  }

  get nextEntry(): number {
    return this.#numbers.nextEntry;
  }

  /** From now on the database may grow, or only fill the pages that it has. */
  mayGrow(allowed: boolean): void {
    // SQLite never goes below the present count, and then fails with SQLITE_FULL.
    this.#database.pragma(`max_page_count = ${allowed ? PAGE_COUNT_MAX : 1}`);
  }

  /** Empties the log, and gives its room back to the disk. */
  truncateLog(): void {
    this.#database.pragma('wal_checkpoint(TRUNCATE)');
  }

  /** Appends, numbers, acknowledges and prunes; answers which back-ends are owed more. */
  commit(batch: Batch): readonly string[] {
    if (this.#stale) this.#numbers = new RunningNumbers(this.#statements);
    this.#stale = true;
    this.#database.transaction(() => this.#write(batch)).immediate();
    this.#stale = false;
    for (const { source, readings } of batch.appends) {
      this.#stored.set(source, (this.#stored.get(source) ?? 0) + readings);
    }
    return [...new Set(batch.appends.flatMap(({ outputs }) => outputs.map((to) => to.backend)))];
  }

  due({ name, afterId, limit }: Page): readonly DueEntry[] {
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return [];
    const entries = this.#statements.due.iterate(backend.id, afterId, limit);
    return bounded(entries, ({ records }) => records.length);
  }

  observations({ name, afterId, limit }: Page): readonly Kept[] {
    const source = this.#numbers.sources.get(name);
    if (source === undefined) return [];
    const kept = this.#statements.observations.iterate(source.id, afterId, limit);
    return bounded(kept, ({ observation }) => observation.length);
  }

  counts(): StoreCounts {
    const sources = [...this.#stored].map(([name, stored]) => [name, { stored }] as const);
    const backends = this.#statements.backends
      .all()
      .map(({ name, queuedEntries, queuedReadings }) => {
        return [name, { queuedEntries, queuedReadings }] as const;
      });
    return { sources: Object.fromEntries(sources), backends: Object.fromEntries(backends) };
  }

  close(): void {
    this.#database.close();
  }

  #write(batch: Batch): void {
    const bytes = Buffer.from(batch.bytes);
    let offset = 0;
    for (const append of batch.appends) offset = this.#append(append, bytes, offset);
    for (const acknowledged of batch.acknowledged) this.#acknowledge(acknowledged);
    const newest = batch.appends.at(-1);
    if (newest !== undefined) {
      prune(this.#statements, this.#numbers, this.#retention, newest.takenMs);
    }
    this.#numbers.write();
  }

  #append(append: BatchAppend, bytes: Buffer, start: number): number {
    const source = this.#numbers.source(append.source);
    let offset = start + append.length;
    const { takenMs, readings } = append;
    const id = this.#numbers.nextObservation;
    this.#statements.keep.run(id, source.id, takenMs, readings, bytes.subarray(start, offset));
    this.#numbers.nextObservation = id + 1;
    source.bytes += append.length;
    source.changed = true;
    for (const output of append.outputs) {
      const end = offset + output.length;
      this.#owe(takenMs, output, bytes.subarray(offset, end));
      offset = end;
    }
    return offset;
  }

  #owe(takenMs: number, output: BatchOutput, records: Buffer): void {
    const backend = this.#numbers.backend(output.backend);
    const stream = this.#numbers.stream(backend, output.stream);
    const { readings, recordCount } = output;
    const [id, sequence] = [this.#numbers.nextEntry, stream.nextSequence];
    this.#statements.owe.run(
      id,
      backend.id,
      stream.id,
      sequence,
      takenMs,
      readings,
      recordCount,
      records,
    );
    this.#numbers.nextEntry = id + 1;
    stream.nextSequence = sequence + 1;
    stream.changed = true;
    backend.entries += 1;
    backend.readings += readings;
  }

  #acknowledge({ backend: name, ids }: Acknowledged): void {
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return;
    for (const id of ids) {
      const readings = this.#statements.forget.get(id, backend.id);
      if (readings === undefined) continue;
      backend.entries -= 1;
      backend.readings -= readings;
    }
  }
}

/** Rows up to `PAGE_BYTES_MAX` in all, but at least one. */
function bounded<Row>(rows: Iterable<Row>, bytesOf: (row: Row) => number): readonly Row[] {
  const page: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    page.push(row);
    bytes += bytesOf(row);
    if (bytes >= PAGE_BYTES_MAX) break;
  }
  return page;
}
