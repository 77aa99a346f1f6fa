import type { Database, Statement } from 'better-sqlite3';
import type { DayTraffic } from './store.ts';

interface SourceRow {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
}

interface BackendRow {
  readonly id: number;
  readonly name: string;
}

export interface StreamRow {
  readonly id: number;
  readonly backend: number;
  readonly name: string;
  /** Place in `DELIVERY_CLASSES`. */
  readonly class: number;
  readonly epoch: number;
  readonly growing: number;
  readonly nextSequence: number;
  readonly through: number;
  readonly chain: Uint8Array | null;
  readonly gapsOmitted: number;
  readonly queuedEntries: number;
  readonly queuedReadings: number;
  readonly queuedBytes: number;
}

interface MetaRow {
  readonly epoch: number;
  readonly nextEntry: number;
  readonly nextObservation: number;
  readonly elapsedMs: number;
  readonly wallMs: number | null;
  readonly believedMs: number | null;
}

interface BootRow {
  readonly id: number;
  readonly name: string;
  readonly offsetMs: number | null;
  readonly trust: string | null;
}

/** An entry without its records. */
export interface EntryRow {
  readonly id: number;
  readonly lane: number;
  readonly stream: number;
  readonly sequence: number;
  readonly count: number;
  readonly takenMs: number;
  readonly storedMs: number;
  readonly readings: number;
  readonly recordCount: number;
  readonly state: number;
  readonly packing: number;
  readonly size: number;
  /** Octets in the file. */
  readonly bytes: number;
  /** Of which the times count, while they are no dates. */
  readonly boot: number | null;
  /** Over the rest of the row (`row-check.ts`). */
  readonly checks: number;
}

export interface FilledEntryRow extends EntryRow {
  readonly stamps: Uint8Array | null;
  readonly records: Uint8Array;
}

interface QuarantineRow extends EntryRow {
  readonly code: string;
  readonly message: string;
}

export interface GapRow {
  readonly stream: number;
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  readonly wallMs: number | null;
}

interface ListedGapRow extends GapRow {
  /** 1 where a manifest with it was acknowledged. */
  readonly told: number;
}

export interface KeptRow {
  readonly id: number;
  readonly takenMs: number;
  readonly readings: number;
  readonly packing: number;
  readonly size: number;
  readonly form: Uint8Array;
  readonly boot: number | null;
  /** 1 where it holds what came of several sources. */
  readonly several: number;
}

/** A row of what is not sorted by source yet, without its content. */
export type UnsortedRow = Omit<OldRow, 'source'>;

/** A row of the local raw store, without its content. */
export interface OldRow {
  readonly id: number;
  readonly source: number;
  /** Ids from its first observation to behind its last. */
  readonly count: number;
  readonly readings: number;
  readonly takenMs: number;
  readonly storedMs: number;
  readonly packing: number;
  readonly size: number;
  readonly bytes: number;
  readonly boot: number | null;
}

export type Statements = ReturnType<typeof prepareStatements>;

/** Every statement of the store; preparing them also proves that the tables are there. */
export function prepareStatements(database: Database) {
  return {
    ...preparedForNumbers(database),
    ...preparedForOutbox(database),
    ...preparedForGaps(database),
    ...preparedForShelf(database),
    ...preparedForUnsorted(database),
    ...preparedForTimes(database),
    ...preparedForTraffic(database),
  };
}

function preparedForNumbers(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    meta: database.prepare<[], MetaRow>(
      `SELECT epoch, next_entry AS nextEntry, next_observation AS nextObservation,
         elapsed_ms AS elapsedMs, wall_ms AS wallMs, believed_ms AS believedMs FROM meta`,
    ),
    setMeta: write(
      `UPDATE meta SET next_entry = ?, next_observation = ?, elapsed_ms = ?, wall_ms = ?,
         believed_ms = coalesce(?, believed_ms)`,
    ),
    sources: database.prepare<[], SourceRow>('SELECT id, name, bytes FROM source'),
    addSource: write('INSERT INTO source (name, bytes) VALUES (?, 0)'),
    setSource: write('UPDATE source SET bytes = ? WHERE id = ?'),
    newestStoredMs: database
      .prepare<[], number>('SELECT stored_ms FROM entry ORDER BY id DESC LIMIT 1')
      .pluck(),
    backends: database.prepare<[], BackendRow>('SELECT id, name FROM backend'),
    addBackend: write(
      'INSERT INTO backend (name, queued_entries, queued_readings) VALUES (?, 0, 0)',
    ),
    countStandings: database
      .prepare<[id: number], number>(
        'UPDATE backend SET standings = standings + 1 WHERE id = ? RETURNING standings',
      )
      .pluck(),
    streams: database.prepare<[], StreamRow>(
      `SELECT id, backend, name, class, epoch, growing, next_sequence AS nextSequence, through,
         chain, gaps_omitted AS gapsOmitted, queued_entries AS queuedEntries,
         queued_readings AS queuedReadings, queued_bytes AS queuedBytes
       FROM stream ORDER BY id`,
    ),
    addStream: write(
      `INSERT INTO stream (backend, name, class, epoch, growing, next_sequence, through, chain,
         gaps_omitted, told_through) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, -1)`,
    ),
    setStream: write(
      `UPDATE stream SET next_sequence = ?, through = ?, chain = ?, gaps_omitted = ?,
         told_through = ?, queued_entries = ?, queued_readings = ?, queued_bytes = ?, untold = ?
       WHERE id = ?`,
    ),
    forgetStream: write('DELETE FROM stream WHERE id = ?'),
  };
}

/** Columns of an `EntryRow`. */
export const ENTRY = `entry.id, lane, stream, sequence, count, taken_ms AS takenMs,
  stored_ms AS storedMs, readings, record_count AS recordCount, state, packing, size,
  length(records) AS bytes, boot, checks`;

function preparedForOutbox(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    owe: write(
      `INSERT INTO entry (id, lane, stream, sequence, count, taken_ms, stored_ms, readings,
         record_count, state, packing, size, records, boot, stamps, checks)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    due: database.prepare<[lane: number, afterId: number, limit: number], FilledEntryRow>(
      `SELECT ${ENTRY}, records, stamps FROM entry
       WHERE lane = ? AND state = 0 AND id > ? ORDER BY id LIMIT ?`,
    ),
    dueNames: database.prepare<
      [lane: number, afterId: number, limit: number],
      Pick<EntryRow, 'id' | 'stream'>
    >('SELECT id, stream FROM entry WHERE lane = ? AND state = 0 AND id > ? ORDER BY id LIMIT ?'),
    entry: database.prepare<[id: number], FilledEntryRow>(
      `SELECT ${ENTRY}, records, stamps FROM entry WHERE id = ?`,
    ),
    forgetEntry: write('DELETE FROM entry WHERE id = ?'),
    setState: write('UPDATE entry SET state = ? WHERE id = ?'),
    oldestOf: database.prepare<[lane: number, state: number, limit: number], EntryRow>(
      `SELECT ${ENTRY} FROM entry WHERE lane = ? AND state = ? ORDER BY id LIMIT ?`,
    ),
    awaiting: database.prepare<[lane: number, afterId: number, limit: number], EntryRow>(
      `SELECT ${ENTRY} FROM entry WHERE lane = ? AND state = 1 AND id > ? ORDER BY id LIMIT ?`,
    ),
    quarantine: write('INSERT OR REPLACE INTO quarantine (entry, code, message) VALUES (?, ?, ?)'),
    quarantined: database.prepare<
      [leastLane: number, belowLane: number, from: number, through: number, limit: number],
      QuarantineRow
    >(
      `SELECT ${ENTRY}, code, message FROM quarantine JOIN entry ON entry.id = quarantine.entry
       WHERE lane >= ? AND lane < ? AND quarantine.entry BETWEEN ? AND ?
       ORDER BY quarantine.entry LIMIT ?`,
    ),
    countIn: database
      .prepare<[lane: number, state: number], number>(
        'SELECT count(*) FROM entry WHERE lane = ? AND state = ?',
      )
      .pluck(),
    dueBefore: database.prepare<[lane: number, stream: number, id: number], { id: number }>(
      'SELECT id FROM entry WHERE lane = ? AND state = 0 AND stream = ? AND id < ? LIMIT 1',
    ),
    unquarantine: write('DELETE FROM quarantine WHERE entry = ?'),
    keepDamaged: write(
      `INSERT INTO damaged SELECT id, ?, lane, stream, sequence, count, taken_ms, stored_ms,
         readings, record_count, state, packing, size, records, boot, stamps, checks
       FROM entry WHERE id = ?`,
    ),
    countDamaged: database.prepare<[], number>('SELECT count(*) FROM damaged').pluck(),
  };
}

const GAP = 'stream, first, last, reason, wall_ms AS wallMs, told';

function preparedForGaps(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    newestGaps: database.prepare<[stream: number, limit: number], ListedGapRow>(
      `SELECT ${GAP} FROM gap WHERE stream = ? ORDER BY first DESC LIMIT ?`,
    ),
    untoldGaps: database.prepare<[stream: number, limit: number], ListedGapRow>(
      `SELECT ${GAP} FROM gap WHERE stream = ? AND told = 0 ORDER BY first LIMIT ?`,
    ),
    newestToldGaps: database.prepare<[stream: number, limit: number], ListedGapRow>(
      `SELECT ${GAP} FROM gap WHERE stream = ? AND told = 1 ORDER BY first DESC LIMIT ?`,
    ),
    gapsAhead: database.prepare<[], GapRow>(
      `SELECT gap.stream, first, last, reason, wall_ms AS wallMs FROM gap
       JOIN stream ON stream.id = gap.stream WHERE first > through ORDER BY gap.stream, first`,
    ),
    firstUntold: database.prepare<[], { readonly stream: number; readonly first: number }>(
      'SELECT stream, min(first) AS first FROM gap WHERE told = 0 GROUP BY stream',
    ),
    gapBefore: database.prepare<[stream: number, first: number], GapRow>(
      `SELECT stream, first, last, reason, wall_ms AS wallMs FROM gap
       WHERE stream = ? AND first < ? ORDER BY first DESC LIMIT 1`,
    ),
    addGap: write(
      `INSERT INTO gap (stream, first, last, reason, wall_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET last = max(last, excluded.last), told = 0`,
    ),
    growGap: write('UPDATE gap SET last = ?, told = 0 WHERE stream = ? AND first = ?'),
    tellGap: write('UPDATE gap SET told = 1 WHERE stream = ? AND first = ? AND last = ?'),
    countGaps: database
      .prepare<[stream: number, told: number], number>(
        'SELECT count(*) FROM gap WHERE stream = ? AND told = ?',
      )
      .pluck(),
    countGapsToForget: database
      .prepare<[stream: number, through: number], number>(
        'SELECT count(*) FROM gap WHERE stream = ? AND told = 1 AND last <= ?',
      )
      .pluck(),
    forgetGapsPassed: write(
      `DELETE FROM gap WHERE (stream, first) IN
         (SELECT stream, first FROM gap WHERE stream = ? AND told = 1 ORDER BY first LIMIT ?)`,
    ),
    forgetGaps: write('DELETE FROM gap WHERE stream = ?'),
  };
}

const OLD = `id, source, count, readings, taken_ms AS takenMs, stored_ms AS storedMs, packing, size,
  length(form) AS bytes, boot`;

function preparedForShelf(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    keep: write(
      `INSERT INTO kept (id, source, count, readings, taken_ms, stored_ms, packing, size, form,
         boot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    kept: database.prepare<[query: { source: number; after: number }], KeptRow>(
      `SELECT ${CONTENT}, 0 AS several FROM kept WHERE source = @source AND id >= coalesce(
         (SELECT max(id) FROM kept WHERE source = @source AND id <= @after + 1), 0)
       UNION ALL
       SELECT ${CONTENT}, 1 FROM unsorted WHERE id >= coalesce(
         (SELECT max(id) FROM unsorted WHERE id <= @after + 1), 0)
       ORDER BY id`,
    ),
    newestKept: database.prepare<[source: number], KeptRow>(
      `SELECT ${CONTENT}, 0 AS several FROM kept WHERE source = ?
       UNION ALL SELECT ${CONTENT}, 1 FROM unsorted ORDER BY id DESC`,
    ),
    form: database.prepare<[id: number], Uint8Array>('SELECT form FROM kept WHERE id = ?').pluck(),
    remove: write('DELETE FROM kept WHERE id = ?'),
    oldest: database.prepare<[limit: number], OldRow>(
      `SELECT ${OLD} FROM kept ORDER BY id LIMIT ?`,
    ),
    oldestOfSource: database.prepare<[source: number, limit: number], OldRow>(
      `SELECT ${OLD} FROM kept WHERE source = ? ORDER BY id LIMIT ?`,
    ),
    ownIds: database
      .prepare<[source: number, afterId: number], number>(
        'SELECT id FROM kept WHERE source = ? AND id > ? ORDER BY id',
      )
      .pluck(),
  };
}

const CONTENT = 'id, taken_ms AS takenMs, readings, packing, size, form, boot';

function preparedForUnsorted(database: Database) {
  return {
    leave: database.prepare(
      `INSERT INTO unsorted (id, count, readings, taken_ms, stored_ms, packing, size, form, boot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    oldestUnsorted: database.prepare<[], UnsortedRow>(
      `SELECT id, count, readings, taken_ms AS takenMs, stored_ms AS storedMs, packing, size,
         length(form) AS bytes, boot FROM unsorted ORDER BY id LIMIT 1`,
    ),
    unsortedForm: database
      .prepare<[id: number], Uint8Array>('SELECT form FROM unsorted WHERE id = ?')
      .pluck(),
    removeUnsorted: database.prepare('DELETE FROM unsorted WHERE id = ?'),
    unsortedBytes: database
      .prepare<[], number>('SELECT coalesce(sum(size), 0) FROM unsorted')
      .pluck(),
  };
}

function preparedForTimes(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    boots: database.prepare<[], BootRow>('SELECT id, name, offset_ms AS offsetMs, trust FROM boot'),
    addBoot: write('INSERT INTO boot (name) VALUES (?)'),
    setBoot: write('UPDATE boot SET offset_ms = ?, trust = ? WHERE id = ?'),
    leaveUndated: write('UPDATE entry SET boot = NULL, stamps = NULL WHERE id = ?'),
  };
}

function preparedForTraffic(database: Database) {
  return {
    traffic: database.prepare<[backend: number], DayTraffic>(
      'SELECT day, bytes FROM traffic WHERE backend = ? ORDER BY id',
    ),
    addTraffic: database.prepare('INSERT INTO traffic (backend, day, bytes) VALUES (?, ?, ?)'),
    forgetTraffic: database.prepare('DELETE FROM traffic WHERE backend = ?'),
  };
}
