import type { Database } from 'better-sqlite3';
import { OperatingError } from '#bytes/failure.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { LANES, PACKING, firstEntryOf } from './schema.ts';

const MEASUREMENT = DELIVERY_CLASSES.indexOf('measurement');

/**
 * Statement n brings a file of version n to version n + 1; the version stands in SQLite's header
 * (`user_version`) and changes in the same transaction. Never edit one that was released.
 *
 * `meta`, `source`, `backend` and `stream` keep the running numbers that must outlive every row
 * they count: a stream's next sequence and the next ids survive the acknowledgement of all.
 */
const MIGRATIONS: readonly ((newEpoch: number) => string)[] = [
  () => `
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
  (newEpoch) => [streamsOfVersion2(newEpoch), OUTBOX_OF_VERSION_2, SHELF_OF_VERSION_2].join(''),
  () => TIMES_OF_VERSION_3,
  () => 'ALTER TABLE gap ADD COLUMN told INTEGER NOT NULL DEFAULT 0;',
  () => CHECKS_OF_VERSION_5,
  () => TOLD_OF_VERSION_6,
  () => QUEUED_OF_VERSION_7 + UNSORTED_OF_VERSION_7,
  () => TRAFFIC_OF_VERSION_8,
  () => UNTOLD_OF_VERSION_9,
];

/**
 * Streams have a class and a chain (decision 0006). Those there end with the epoch, as nobody knows
 * the chain of what was delivered before.
 */
function streamsOfVersion2(newEpoch: number): string {
  return `
  UPDATE meta SET epoch = max(epoch + 1, ${newEpoch});
  ALTER TABLE meta ADD COLUMN elapsed_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE meta ADD COLUMN wall_ms INTEGER;
  ALTER TABLE backend ADD COLUMN queued_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE backend ADD COLUMN standings INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    name TEXT NOT NULL,
    class INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    growing INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL,
    through INTEGER NOT NULL,
    chain BLOB,
    gaps_omitted INTEGER NOT NULL,
    UNIQUE (backend, name, epoch)
  ) STRICT;
  INSERT INTO series
    SELECT id, backend, name, ${MEASUREMENT}, epoch, 0, next_sequence, coalesce(
      (SELECT min(sequence) FROM outbox WHERE outbox.stream = stream.id), next_sequence) - 1,
      NULL, 0
    FROM stream;
  DROP TABLE stream;
  ALTER TABLE series RENAME TO stream;
  `;
}

/** An entry is a run of observations, and has a class and a state. */
const OUTBOX_OF_VERSION_2 = `
  CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    stream INTEGER NOT NULL REFERENCES stream (id),
    sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    state INTEGER NOT NULL,
    packing INTEGER NOT NULL,
    size INTEGER NOT NULL,
    records BLOB NOT NULL
  ) STRICT;
  INSERT INTO entry
    SELECT id, backend * ${LANES} + ${MEASUREMENT}, stream, sequence, 1, taken_ms, 0, readings,
      record_count, 0, 0, length(records), records
    FROM outbox;
  UPDATE backend SET queued_bytes =
    (SELECT coalesce(sum(length(records)), 0) FROM outbox WHERE outbox.backend = backend.id);
  DROP TABLE outbox;
  CREATE INDEX entry_by_lane ON entry (lane, state);

  CREATE TABLE quarantine (
    entry INTEGER PRIMARY KEY REFERENCES entry (id),
    code TEXT NOT NULL,
    message TEXT NOT NULL
  ) STRICT;
  CREATE TABLE gap (
    stream INTEGER NOT NULL REFERENCES stream (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    wall_ms INTEGER,
    PRIMARY KEY (stream, first)
  ) STRICT, WITHOUT ROWID;
`;

/** So is a row of what is kept at home. */
const SHELF_OF_VERSION_2 = `
  CREATE TABLE kept (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    count INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL,
    packing INTEGER NOT NULL,
    size INTEGER NOT NULL,
    form BLOB NOT NULL
  ) STRICT;
  INSERT INTO kept SELECT id, source, 1, readings, taken_ms, 0, ${PACKING.bare}, length(form), form
    FROM observation;
  DROP TABLE observation;
  CREATE INDEX kept_by_source ON kept (source);
`;

/**
 * Rows taken while the wall clock was not believed name their boot and hold times since then; what
 * that boot's clock turned out to be ahead by is added on reading. `stamps` are those of an entry's
 * observations, milliseconds in eight octets each.
 */
const TIMES_OF_VERSION_3 = `
  ALTER TABLE meta ADD COLUMN believed_ms INTEGER;
  UPDATE meta SET believed_ms = wall_ms;
  CREATE TABLE boot (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    offset_ms INTEGER,
    trust TEXT
  ) STRICT;
  ALTER TABLE entry ADD COLUMN boot INTEGER REFERENCES boot (id);
  ALTER TABLE entry ADD COLUMN stamps BLOB;
  CREATE INDEX entry_by_boot ON entry (boot) WHERE boot IS NOT NULL;
  ALTER TABLE kept ADD COLUMN boot INTEGER REFERENCES boot (id);
  CREATE INDEX kept_by_boot ON kept (boot) WHERE boot IS NOT NULL;
`;

/**
 * Rows of the outbox have a check (`row-check.ts`); -1 in those that were there. What does not fit
 * its check is kept in `damaged` as it was found.
 */
const CHECKS_OF_VERSION_5 = `
  ALTER TABLE entry ADD COLUMN checks INTEGER NOT NULL DEFAULT -1;
  CREATE TABLE damaged (
    entry INTEGER PRIMARY KEY,
    wall_ms INTEGER,
    lane INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    state INTEGER NOT NULL,
    packing INTEGER NOT NULL,
    size INTEGER NOT NULL,
    records BLOB NOT NULL,
    boot INTEGER,
    stamps BLOB,
    checks INTEGER NOT NULL
  ) STRICT;
`;

/**
 * Streams know up to where every gap has been told: one beyond may be lost with its page, and
 * salvage names its numbers anew.
 */
const TOLD_OF_VERSION_6 = `
  ALTER TABLE stream ADD COLUMN told_through INTEGER NOT NULL DEFAULT -1;
  UPDATE stream SET told_through = min(through, coalesce(
    (SELECT min(first) - 1 FROM gap WHERE gap.stream = stream.id AND told = 0), through));
`;

/**
 * What waits for a back-end is counted in its streams, whose rows change with it anyway. The
 * columns of `backend` stay, at zero: by its shape salvage tells its row from one of `source`.
 */
const QUEUED_OF_VERSION_7 = `
  ALTER TABLE stream ADD COLUMN queued_entries INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN queued_readings INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN queued_bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE stream SET
    (queued_entries, queued_readings, queued_bytes) = (waits.entries, waits.readings, waits.bytes)
  FROM (SELECT stream, count(*) AS entries, sum(readings) AS readings,
          sum(length(records)) AS bytes FROM entry GROUP BY stream) AS waits
  WHERE waits.stream = stream.id;
  UPDATE backend SET queued_entries = 0, queued_readings = 0, queued_bytes = 0;
`;

/**
 * What is kept at home lies as it was committed, of all sources together, until it is sorted into
 * rows of one source each: a commit touches fewer pages.
 */
const UNSORTED_OF_VERSION_7 = `
  CREATE TABLE unsorted (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    taken_ms INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL,
    packing INTEGER NOT NULL,
    size INTEGER NOT NULL,
    form BLOB NOT NULL,
    boot INTEGER REFERENCES boot (id)
  ) STRICT;
`;

/**
 * What went over the link of each back-end, in the order of the ids. Without an id of its own a row
 * would have the shape of the first `meta`, and be taken for it by salvage.
 */
const TRAFFIC_OF_VERSION_8 = `
  CREATE TABLE traffic (
    id INTEGER PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    day INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
`;

/**
 * A stream's row repeats the oldest gaps that no manifest has told (`untold.ts`); of a stream that
 * has some it does so when it is written next, and until then it is as in version 6.
 */
const UNTOLD_OF_VERSION_9 = 'ALTER TABLE stream ADD COLUMN untold BLOB;';

const SCHEMA_VERSION = MIGRATIONS.length;

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
    for (const step of steps) database.exec(step(newEpoch));
    if (version === 0) beginEpoch(database, newEpoch);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}

function beginEpoch(database: Database, epoch: number): void {
  database
    .prepare('INSERT INTO meta (epoch, next_entry, next_observation) VALUES (?, ?, 1)')
    .run(epoch, Math.max(1, firstEntryOf(epoch)));
}
