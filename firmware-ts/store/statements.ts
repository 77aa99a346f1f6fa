import type { Database, Statement } from 'better-sqlite3';
import type { DueEntry, Kept } from './store.ts';

export interface SourceRow {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
}

export interface BackendRow {
  readonly id: number;
  readonly name: string;
  readonly queuedEntries: number;
  readonly queuedReadings: number;
}

export interface StreamRow {
  readonly id: number;
  readonly name: string;
  readonly epoch: number;
  readonly nextSequence: number;
}

export interface MetaRow {
  readonly epoch: number;
  readonly nextEntry: number;
  readonly nextObservation: number;
}

/** An old observation that pruning looks at. */
export interface OldRow {
  readonly id: number;
  readonly source: number;
  readonly takenMs: number;
  readonly bytes: number;
}

export type Statements = ReturnType<typeof prepareStatements>;

/** Every statement of the store; preparing them also proves that the tables are there. */
export function prepareStatements(database: Database) {
  return { ...preparedForWriting(database), ...preparedForReading(database) };
}

function preparedForWriting(database: Database) {
  const write = (text: string): Statement => database.prepare(text);
  return {
    addSource: write('INSERT INTO source (name, bytes) VALUES (?, 0)'),
    addBackend: write(
      'INSERT INTO backend (name, queued_entries, queued_readings) VALUES (?, 0, 0)',
    ),
    addStream: write(
      'INSERT INTO stream (backend, name, epoch, next_sequence) VALUES (?, ?, ?, 0)',
    ),
    keep: write(
      'INSERT INTO observation (id, source, taken_ms, readings, form) VALUES (?, ?, ?, ?, ?)',
    ),
    owe: write(
      `INSERT INTO outbox (id, backend, stream, sequence, taken_ms, readings, record_count, records)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    forget: database
      .prepare<[id: number, backend: number], number>(
        'DELETE FROM outbox WHERE id = ? AND backend = ? RETURNING readings',
      )
      .pluck(),
    prune: write('DELETE FROM observation WHERE id = ?'),
    setSource: write('UPDATE source SET bytes = ? WHERE id = ?'),
    setStream: write('UPDATE stream SET next_sequence = ? WHERE id = ?'),
    addToBackend: write(
      `UPDATE backend SET queued_entries = queued_entries + ?, queued_readings = queued_readings + ?
       WHERE id = ?`,
    ),
    setMeta: write('UPDATE meta SET next_entry = ?, next_observation = ?'),
  };
}

function preparedForReading(database: Database) {
  return {
    meta: database.prepare<[], MetaRow>(
      'SELECT epoch, next_entry AS nextEntry, next_observation AS nextObservation FROM meta',
    ),
    sources: database.prepare<[], SourceRow>('SELECT id, name, bytes FROM source'),
    backends: database.prepare<[], BackendRow>(
      `SELECT id, name, queued_entries AS queuedEntries, queued_readings AS queuedReadings
       FROM backend`,
    ),
    streams: database.prepare<[backend: number], StreamRow>(
      'SELECT id, name, epoch, next_sequence AS nextSequence FROM stream WHERE backend = ?',
    ),
    due: database.prepare<[backend: number, afterId: number, limit: number], DueEntry>(
      `SELECT outbox.id, stream.name AS stream, stream.epoch, sequence, taken_ms AS takenMs,
         records, record_count AS recordCount, readings
       FROM outbox JOIN stream ON stream.id = outbox.stream
       WHERE outbox.backend = ? AND outbox.id > ? ORDER BY outbox.id LIMIT ?`,
    ),
    observations: database.prepare<[source: number, afterId: number, limit: number], Kept>(
      `SELECT id, taken_ms AS takenMs, readings, form AS observation
       FROM observation WHERE source = ? AND id > ? ORDER BY id LIMIT ?`,
    ),
    oldest: database.prepare<[limit: number], OldRow>(
      `SELECT id, source, taken_ms AS takenMs, length(form) AS bytes
       FROM observation ORDER BY id LIMIT ?`,
    ),
    oldestOfSource: database.prepare<[source: number, limit: number], OldRow>(
      `SELECT id, source, taken_ms AS takenMs, length(form) AS bytes
       FROM observation WHERE source = ? ORDER BY id LIMIT ?`,
    ),
  };
}
