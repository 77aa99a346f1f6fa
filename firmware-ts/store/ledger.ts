import type { Database } from 'better-sqlite3';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { recordsOf } from './boots.ts';
import { countQuarantined, dueByClass, dueNames, laneOf, merged } from './lanes.ts';
import type { Acknowledged, BackendTraffic, Batch, Calls, Now } from './messages.ts';
import type { OwedBy, Received } from './messages.ts';
import { OutboxLedger } from './outbox.ts';
import { bounded, inOneBuffer } from './pages.ts';
import type { BackendState } from './running.ts';
import { RunningNumbers } from './running.ts';
import { isSoundRow } from './row-check.ts';
import { LANES, STATE } from './schema.ts';
import { LEAST_URGENT_FIRST, lessUrgentThan, needsOf, roomOf } from './scarcity.ts';
import { Shelf } from './shelf.ts';
import type { EntryRow, FilledEntryRow, Statements } from './statements.ts';
import { prepareStatements } from './statements.ts';
import type { DayTraffic, DueEntry, DueName, Kept, NamedGap, Owed, Standing } from './store.ts';
import type { Quarantined, Retention, StoreCounts, StreamStanding } from './store.ts';

/** Entries in quarantine that are listed; people look at them. */
const QUARANTINE_ROWS_MAX = 1_000;

/** SQLite's own limit (sqlite.org/limits.html). */
const PAGE_COUNT_MAX = 0xffff_fffe;

/** What is kept how long. */
export interface Bounds {
  readonly shelf: Retention;
  readonly outboxOf: (backend: string) => Retention;
}

/** The books: every method is at most one transaction on one open database; for the thread. */
export class Ledger {
  readonly #database: Database;
  readonly #bounds: Bounds;
  readonly #statements: Statements;
  readonly #stored = new Map<string, number>();
  #numbers: RunningNumbers;
  #outbox: OutboxLedger;
  #shelf: Shelf;
  /** The store's clock stood here when the file was opened (decision 0006). */
  readonly #openedAtMs: number;
  #growing = true;
  #named: NamedGap[];
  /** A transaction failed: what `#numbers` says may not be so. */
  #stale = false;

  /** `gaps` were named before it was opened. */
  constructor(database: Database, bounds: Bounds, now: Now, gaps: readonly NamedGap[] = []) {
    this.#named = [...gaps];
    this.#database = database;
    this.#bounds = bounds;
    this.#statements = prepareStatements(database);
    this.#numbers = new RunningNumbers(this.#statements);
    this.#outbox = new OutboxLedger(this.#statements, this.#numbers);
    this.#shelf = new Shelf(this.#statements, this.#numbers);
    this.#openedAtMs = this.#numbers.meta.resumedMs(now) - now.openMs;
  }

  get epoch(): number {
    return this.#numbers.meta.epoch;
  }

  /** The wall clock when it was last believed, milliseconds. */
  get believedMs(): number | undefined {
    return this.#numbers.meta.believedMs;
  }

  get nextEntry(): number {
    return this.#numbers.meta.nextEntry;
  }

  /** From now on the database may grow, or only fill the pages that it has. */
  mayGrow(allowed: boolean): void {
    if (allowed === this.#growing) return;
    this.#growing = allowed;
    // SQLite never goes below the present count, and then fails with SQLITE_FULL.
    this.#database.pragma(`max_page_count = ${allowed ? PAGE_COUNT_MAX : 1}`);
  }

  /** From now on the database may grow by so many pages, and no more. */
  mayGrowBy(pages: number): void {
    this.#growing = false;
    const present = Number(this.#database.pragma('page_count', { simple: true }));
    this.#database.pragma(`max_page_count = ${present + pages}`);
  }

  /** Empties the log, and gives its room back to the disk. */
  truncateLog(): void {
    this.#database.pragma('wal_checkpoint(TRUNCATE)');
  }

  /** Appends, numbers, acknowledges and prunes; answers what that changed for back-ends. */
  commit(batch: Batch): OwedBy {
    const owed = this.#transaction(batch.now, () => this.#write(batch));
    for (const { source, readings } of batch.kept) {
      this.#stored.set(source, (this.#stored.get(source) ?? 0) + readings);
    }
    return owed;
  }

  /**
   * Frees pages for a batch that the disk has no room for: the oldest that is kept at home, then
   * what is less urgent than the batch. Confirmed entries never give way to their equals.
   */
  makeRoom(batch: Batch): void {
    this.#transaction(batch.now, () => {
      // What is delivered must not be dropped and named as a gap.
      this.#acknowledge([...batch.acknowledged, ...(batch.delivered ?? [])], batch.now);
      let freed = this.#shelf.makeRoom(roomOf(batch.bytes.byteLength));
      for (const { backend: name, class: of, bytes } of needsOf(batch)) {
        const needed = roomOf(bytes) - freed;
        if (needed <= 0) continue;
        const backend = this.#numbers.backend(name);
        const how = { reason: 'disk-full', now: batch.now } as const;
        freed += this.#outbox.makeRoom(backend, needed, lessUrgentThan(of), how);
      }
    });
  }

  /** Gaps named in transactions since the last call. */
  takeGaps(): readonly NamedGap[] {
    const named = this.#named;
    this.#named = [];
    return named;
  }

  /** What is given out stays as it is: times that are no dates by now will be none. */
  due({ name, class: of, afterId, limit, now }: Calls['due']['ask']): readonly DueEntry[] {
    this.#refresh();
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return [];
    const rows = this.#soundRows([laneOf(backend, of), afterId, limit], now);
    if (rows.some((row) => this.#isUndated(row))) {
      this.#transaction(now, () => {
        for (const row of rows) if (this.#isUndated(row)) this.#statements.leaveUndated.run(row.id);
      });
    }
    return inOneBuffer(rows.map((row) => this.#dueOf(row)));
  }

  peek({ name, class: of, afterId, limit }: Calls['peek']['ask']): readonly DueName[] {
    this.#refresh();
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return [];
    return dueNames(this.#statements, this.#numbers, [laneOf(backend, of), afterId, limit]);
  }

  quarantine({ backend, id, failure, now }: Calls['quarantine']['ask']): boolean {
    return this.#transaction(now, () => this.#outbox.quarantine(backend, id, failure, now));
  }

  quarantined({ backend: name, id }: Calls['quarantined']['ask']): readonly Quarantined[] {
    this.#refresh();
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return [];
    const least = backend.id * LANES;
    const lanes = [least, least + LANES] as const;
    const [from, through] = [id ?? 0, id ?? Number.MAX_SAFE_INTEGER];
    const rows = this.#statements.quarantined.all(...lanes, from, through, QUARANTINE_ROWS_MAX);
    return rows.map((row) => {
      const { bytes, code, message } = row;
      return { ...this.#headOf(row), bytes, code, message };
    });
  }

  entry({ backend, id }: Calls['entry']['ask']): DueEntry | undefined {
    this.#refresh();
    const row = this.#outbox.entry(backend, id);
    return row && this.#dueOf(row);
  }

  resend({ backend, id, now }: Calls['resend']['ask']): OwedBy | undefined {
    const owed = this.#transaction(now, () => this.#outbox.resend(backend, id));
    return owed && { [backend]: owed };
  }

  discard({ backend, id, now }: Calls['discard']['ask']): boolean {
    return this.#transaction(now, () => this.#outbox.discard(backend, id));
  }

  receive({ backend, now, ...part }: Calls['receive']['ask']): Received {
    return this.#transaction(now, () => this.#outbox.receive(backend, part));
  }

  standing({ backend, now }: Calls['standing']['ask']): Standing {
    return this.#transaction(now, () => {
      this.#outbox.tidy();
      return this.#outbox.standing(backend);
    });
  }

  told({ backend, gaps, now }: Calls['told']['ask']): void {
    this.#transaction(now, () => this.#outbox.told(backend, gaps));
  }

  streams(backend: string): readonly StreamStanding[] {
    this.#refresh();
    return this.#outbox.streams(backend);
  }

  traffic(backend: string): readonly DayTraffic[] {
    this.#refresh();
    const known = this.#numbers.backends.get(backend);
    return known === undefined ? [] : this.#statements.traffic.all(known.id);
  }

  observations({ name, afterId, limit }: Calls['observations']['ask']): readonly Kept[] {
    this.#refresh();
    const source = this.#numbers.sources.get(name);
    if (source === undefined) return [];
    const bytesOf = ({ observation }: Kept): number => observation.length;
    return afterId === undefined
      ? bounded(this.#shelf.newest(source, limit), bytesOf).toReversed()
      : bounded(this.#shelf.observations(source, afterId, limit), bytesOf);
  }

  /** Of a boot whose times are still to become dates, the believed clock counts. */
  believe(now: Now): void {
    this.#refresh();
    if (this.#numbers.boots.learns(now.belief)) this.#transaction(now, () => undefined);
  }

  counts(): StoreCounts {
    this.#refresh();
    const sources = [...this.#stored].map(([name, stored]) => [name, { stored }] as const);
    const backends = [...this.#numbers.backends.values()].map((backend) => {
      const { name, queuedEntries, queuedReadings, queuedBytes } = backend;
      const oldestMs = this.#oldestOf(backend);
      const oldest = oldestMs === undefined ? {} : { oldestMs };
      const lanes = dueByClass(this.#statements, this.#numbers, backend, this.#openedAtMs);
      const quarantinedEntries = countQuarantined(this.#statements, backend);
      const queued = { queuedEntries, queuedReadings, queuedBytes, quarantinedEntries };
      return [name, { ...queued, ...oldest, lanes }] as const;
    });
    return { sources: Object.fromEntries(sources), backends: Object.fromEntries(backends) };
  }

  close(): void {
    this.#database.close();
  }

  #write(batch: Batch): OwedBy {
    const storedMs = this.#storeMs(batch.now);
    const bytes = Buffer.from(batch.bytes);
    let offset = this.#shelf.keep(batch.kept, bytes, storedMs);
    // Their numbers come before those of what was appended later.
    for (const skipped of batch.skipped) this.#outbox.skip(skipped, batch.now);
    const owed: Record<string, Owed> = {};
    for (const run of batch.owed) {
      const { backend } = run;
      const records = bytes.subarray(offset, offset + run.length);
      const more = this.#outbox.owe(run, records, storedMs);
      owed[backend] = merged(owed[backend] ?? {}, more);
      offset += run.length;
    }
    this.#acknowledge(batch.acknowledged, batch.now);
    for (const traffic of batch.traffic ?? []) this.#keepTraffic(traffic);
    if (batch.kept.length > 0) this.#bound(storedMs, batch);
    return owed;
  }

  #acknowledge(delivered: readonly Acknowledged[], now: Now): void {
    for (const acknowledged of delivered) this.#outbox.acknowledge(acknowledged, now);
  }

  /** Of who was never owed anything nothing is kept. */
  #keepTraffic({ backend, days }: BackendTraffic): void {
    const known = this.#numbers.backends.get(backend);
    if (known === undefined) return;
    this.#statements.forgetTraffic.run(known.id);
    for (const { day, bytes } of days) this.#statements.addTraffic.run(known.id, day, bytes);
  }

  #bound(storedMs: number, { now, delivered = [] }: Batch): void {
    // It frees as many pages as it takes, but not always; it can wait for room.
    if (this.#growing) this.#shelf.sort();
    this.#shelf.prune(this.#bounds.shelf, storedMs);
    for (const backend of this.#numbers.backends.values()) {
      const { ageMs, bytes } = this.#bounds.outboxOf(backend.name);
      const horizonMs = storedMs - ageMs;
      if (backend.queuedBytes > bytes || backend.oldestMs < horizonMs) {
        this.#acknowledge(
          delivered.filter((held) => held.backend === backend.name),
          now,
        );
      }
      this.#outbox.expire(backend, horizonMs, now);
      const excess = backend.queuedBytes - bytes;
      const how = { reason: 'bytes', now } as const;
      if (excess > 0) this.#outbox.makeRoom(backend, excess, LEAST_URGENT_FIRST, how);
    }
  }

  /** When the oldest that is due was taken; of what has no date yet nothing is known. */
  #oldestOf(backend: BackendState): number | undefined {
    const heads = DELIVERY_CLASSES.flatMap((of) =>
      this.#statements.oldestOf.all(laneOf(backend, of), STATE.due, 1),
    );
    const dated = heads.filter((row) => !this.#isUndated(row));
    return dated.length === 0
      ? undefined
      : Math.min(...dated.map((row) => this.#headOf(row).takenMs));
  }

  #storeMs({ openMs }: Now): number {
    return Math.max(this.#numbers.meta.elapsedMs, Math.round(this.#openedAtMs + openMs));
  }

  #transaction<Result>(now: Now, run: () => Result): Result {
    this.#refresh();
    this.#stale = true;
    const result = this.#database
      .transaction(() => {
        this.#numbers.boots.learn(now.belief);
        const answer = run();
        this.#numbers.write(this.#storeMs(now), now);
        return answer;
      })
      .immediate();
    this.#stale = false;
    this.#named.push(...this.#outbox.gaps.take());
    return result;
  }

  /** Nothing is told or done by what a failed transaction has left in memory. */
  #refresh(): void {
    if (!this.#stale) return;
    this.#numbers = new RunningNumbers(this.#statements);
    this.#outbox = new OutboxLedger(this.#statements, this.#numbers);
    this.#shelf = new Shelf(this.#statements, this.#numbers);
    this.#stale = false;
  }

  /** A page of what is due, without what is damaged: that is kept apart, and named. */
  #soundRows(
    page: readonly [lane: number, afterId: number, limit: number],
    now: Now,
  ): readonly FilledEntryRow[] {
    for (;;) {
      const rows = bounded(this.#statements.due.iterate(...page), ({ size }) => size);
      const damaged = rows.filter((row) => !isSoundRow(row));
      if (damaged.length === 0) return rows;
      this.#transaction(now, () => {
        for (const row of damaged) this.#outbox.keepDamaged(row, now);
      });
    }
  }

  #dueOf(row: FilledEntryRow): DueEntry {
    return { ...this.#headOf(row), records: recordsOf(row, this.#numbers.boots) };
  }

  #isUndated({ boot }: EntryRow): boolean {
    return boot !== null && this.#numbers.boots.correctionOf(boot) === undefined;
  }

  #headOf(row: EntryRow): Omit<DueEntry, 'records'> {
    const { id, sequence, count, recordCount, readings } = row;
    const takenMs = row.takenMs + (this.#numbers.boots.correctionOf(row.boot)?.offsetMs ?? 0);
    const { name: stream = '', epoch = 0 } = this.#numbers.streams.get(row.stream) ?? {};
    const committedMs = row.storedMs - this.#openedAtMs;
    return { id, stream, epoch, sequence, count, takenMs, committedMs, recordCount, readings };
  }
}
