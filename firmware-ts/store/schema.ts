import type { Database } from 'better-sqlite3';
import { OperatingError } from '#bytes/failure.ts';

/** Marks the file as ours in SQLite's header (offset 68): `nrmd`. */
export const APPLICATION_ID = 0x6e726d64;

/**
 * Statement n brings a file of version n to version n + 1; the version stands in SQLite's header
 * (`user_version`) and changes in the same transaction. Never edit one that was released.
 *
 * `meta`, `source`, `backend` and `stream` keep the running numbers that must outlive every row
 * they count: a stream's next sequence and the next ids survive the acknowledgement of all.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (
    epoch INTEGER NOT NULL,
    next_entry INTEGER NOT NULL,
    next_observation INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE observation (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    taken_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    form BLOB NOT NULL
  ) STRICT;
  CREATE INDEX observation_by_source ON observation (source);

  CREATE TABLE backend (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    queued_entries INTEGER NOT NULL,
    queued_readings INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL,
    UNIQUE (backend, name)
  ) STRICT;
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    stream INTEGER NOT NULL REFERENCES stream (id),
    sequence INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    records BLOB NOT NULL
  ) STRICT;
  CREATE INDEX outbox_by_backend ON outbox (backend);
  `,
];

/**
 * Entries are numbered from here on in a file that begins `epoch`: an acknowledgement that comes
 * late, for an entry of a file set aside, must not delete one of the new file.
 */
export function firstEntryOf(epoch: number): number {
  return epoch * ENTRIES_PER_EPOCH;
}

/** The least epoch whose entries come after all below `nextEntry`. */
export function epochAfter(nextEntry: number): number {
  return Math.ceil(nextEntry / ENTRIES_PER_EPOCH);
}

/**
 * Epochs are seconds, and over the life of a file nobody appends so many in each. Numbers stay
 * within those that are believed (`repair.ts`) until the year 4147.
 */
export const ENTRIES_PER_EPOCH = 2 ** 16;

export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the file to `SCHEMA_VERSION`; one that is empty begins `newEpoch`.
 * Errors: `store-newer`; nothing has been changed then.
 */
export function migrate(database: Database, newEpoch: number): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  if (version > SCHEMA_VERSION) {
    throw new OperatingError(
      'store-newer',
      `the database has version ${version}, this normd knows ${SCHEMA_VERSION}`,
    );
  }
  const steps = MIGRATIONS.slice(version);
  if (steps.length === 0) return;
  database.transaction(() => {
    for (const step of steps) database.exec(step);
    if (version === 0) beginEpoch(database, newEpoch);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}

function beginEpoch(database: Database, epoch: number): void {
  database
    .prepare('INSERT INTO meta VALUES (?, ?, 1)')
    .run(epoch, Math.max(1, firstEntryOf(epoch)));
}
