import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { BACKENDS, SOURCES, numbered, owedTo, sourceOf } from './content.ts';
import { type Base, FAST_FOLDER, STATE } from './history.ts';

export const EPOCH_OF_VERSION_1 = 1_750_000_000;
const NUMBERS = 120;

/** The schema as the first release wrote it; it never changes. */
const SCHEMA = `
  CREATE TABLE meta (epoch INTEGER NOT NULL, next_entry INTEGER NOT NULL,
    next_observation INTEGER NOT NULL) STRICT;
  CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL) STRICT;
  CREATE TABLE observation (id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source (id),
    taken_ms INTEGER NOT NULL, readings INTEGER NOT NULL, form BLOB NOT NULL) STRICT;
  CREATE INDEX observation_by_source ON observation (source);
  CREATE TABLE backend (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    queued_entries INTEGER NOT NULL, queued_readings INTEGER NOT NULL) STRICT;
  CREATE TABLE stream (id INTEGER PRIMARY KEY, backend INTEGER NOT NULL REFERENCES backend (id),
    name TEXT NOT NULL, epoch INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
    UNIQUE (backend, name)) STRICT;
  CREATE TABLE outbox (id INTEGER PRIMARY KEY, backend INTEGER NOT NULL REFERENCES backend (id),
    stream INTEGER NOT NULL REFERENCES stream (id), sequence INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL, readings INTEGER NOT NULL, record_count INTEGER NOT NULL,
    records BLOB NOT NULL) STRICT;
  CREATE INDEX outbox_by_backend ON outbox (backend);
`;

/** A store as the first release left it, with all that it owes seen and nothing delivered. */
export function storeOfVersion1(): Base {
  const folder = mkdtempSync(join(FAST_FOLDER, 'normd-version-1-'));
  const file = join(folder, 'store.db');
  try {
    const database = new Sqlite(file);
    database.pragma('application_id = 0x6e726d64');
    database.pragma('foreign_keys = OFF');
    database.exec(SCHEMA);
    const facts = database.transaction(() => fill(database))();
    database.pragma('user_version = 1');
    database.close();
    const image = new Map([
      [STATE, undefined],
      [`${STATE}/store.db`, readFileSync(file)],
    ]);
    return { image, facts, next: NUMBERS };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function fill(database: Sqlite.Database): readonly string[] {
  const facts: string[] = [];
  const insert = (table: string, ...row: readonly unknown[]): void => {
    const values = row.map(() => '?').join(', ');
    database.prepare(`INSERT INTO ${table} VALUES (${values})`).run(...row);
  };
  const sequences = new Map<number, number>();
  let entry = 1;
  for (let number = 0; number < NUMBERS; number += 1) {
    const { takenMs, observation } = numbered(number);
    const source = SOURCES.findIndex((name) => name === sourceOf(number)) + 1;
    insert('observation', number + 1, source, takenMs, 1, observation);
    facts.push(`append ${number}`, `appended ${number}`);
    for (const to of owedTo(number)) {
      const backend = BACKENDS.findIndex((name) => name === to) + 1;
      const stream = backend * SOURCES.length + source;
      const sequence = sequences.get(stream) ?? 0;
      insert('outbox', entry, backend, stream, sequence, takenMs, 1, 1, observation);
      facts.push(`seen ${to} ${sourceOf(number)} ${EPOCH_OF_VERSION_1} ${sequence} ${number}`);
      sequences.set(stream, sequence + 1);
      entry += 1;
    }
  }
  for (const [index, name] of SOURCES.entries()) insert('source', index + 1, name, 0);
  for (const [index, name] of BACKENDS.entries()) {
    const queued = facts.filter((fact) => fact.startsWith(`seen ${name} `)).length;
    insert('backend', index + 1, name, queued, queued);
    for (const [place, source] of SOURCES.entries()) {
      const stream = (index + 1) * SOURCES.length + place + 1;
      insert('stream', stream, index + 1, source, EPOCH_OF_VERSION_1, sequences.get(stream) ?? 0);
    }
  }
  insert('meta', EPOCH_OF_VERSION_1, entry, NUMBERS + 1);
  return facts;
}
