import type { Database } from 'better-sqlite3';
import { OperatingError } from '#bytes/failure.ts';
import { assertProvenHead } from './row-check.ts';
import { ENTRIES_PER_EPOCH } from './schema.ts';
import type { EntryRow } from './statements.ts';
import { ENTRY } from './statements.ts';

/** No number of ours comes near it; one beyond has been damaged. Leaves room to count on. */
const NUMBER_MAX = 2 ** 52;

/** Newest entries that are compared with the numbers of their streams: not the whole backlog. */
const RECENT_ENTRIES = 1_000;

const RECENT = `SELECT stream, sequence + count - 1 AS sequence FROM entry
  ORDER BY id DESC LIMIT ${RECENT_ENTRIES}`;

/** Those that say more than their streams: only if they prove that they are what was written. */
const AHEAD = `SELECT recent.*
  FROM (SELECT ${ENTRY} FROM entry ORDER BY id DESC LIMIT ${RECENT_ENTRIES}) AS recent
  JOIN stream ON stream.id = recent.stream
  WHERE sequence + count > next_sequence`;

const behindNewestOf = (table: string): string =>
  `coalesce((SELECT id + count FROM ${table} ORDER BY id DESC LIMIT 1), 1)`;
const NEXT_OBSERVATION = `max(${behindNewestOf('kept')}, ${behindNewestOf('unsorted')})`;
const OUTSIDE = `NOT BETWEEN 0 AND ${NUMBER_MAX}`;

/**
 * Each finds a row where numbers are beyond repair: nothing says what they were. None walks over
 * a backlog (`max` would, under a condition).
 */
const HOPELESS: readonly string[] = [
  `SELECT 1 FROM meta WHERE epoch ${OUTSIDE}`,
  `SELECT 1 FROM (SELECT id FROM entry ORDER BY id DESC LIMIT 1) WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM (SELECT id FROM kept ORDER BY id DESC LIMIT 1) WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM (SELECT id FROM unsorted ORDER BY id DESC LIMIT 1) WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM source WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM backend WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM stream WHERE id ${OUTSIDE} OR epoch ${OUTSIDE}`,
  `SELECT 1 FROM (${RECENT}) WHERE sequence ${OUTSIDE}`,
  `SELECT 1 FROM stream WHERE next_sequence ${OUTSIDE}
   AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.stream = stream.id)`,
];

/**
 * Each sets right what the rows themselves tell. An entry's successor has the next sequence, since
 * only a prefix of a stream is ever deleted; an id need only be greater than all in the file.
 */
const REPAIRS: readonly string[] = [
  `UPDATE meta SET next_entry =
     (SELECT max(coalesce(max(id), 0) + 1, epoch * ${ENTRIES_PER_EPOCH}) FROM entry)
   WHERE next_entry NOT BETWEEN
     (SELECT coalesce(max(id), 0) + 1 FROM entry) AND ${NUMBER_MAX}`,
  `UPDATE meta SET next_observation = ${NEXT_OBSERVATION}
   WHERE next_observation NOT BETWEEN ${NEXT_OBSERVATION} AND ${NUMBER_MAX}`,
  `UPDATE stream SET next_sequence =
     (SELECT max(sequence + count) FROM entry WHERE entry.stream = stream.id)
   WHERE next_sequence ${OUTSIDE}`,
  `UPDATE stream SET next_sequence = recent.last + 1
   FROM (SELECT stream, max(sequence) AS last FROM (${RECENT}) GROUP BY stream) AS recent
   WHERE recent.stream = stream.id AND next_sequence <= recent.last`,
  `UPDATE source SET bytes =
     (SELECT coalesce(sum(length(form)), 0) FROM kept WHERE kept.source = source.id)
   WHERE bytes ${OUTSIDE}`,
  `UPDATE stream SET chain = NULL, through = coalesce(
     (SELECT min(sequence) FROM entry WHERE entry.stream = stream.id), next_sequence) - 1
   WHERE through NOT BETWEEN -1 AND next_sequence - 1`,
  `UPDATE stream SET (queued_entries, queued_readings, queued_bytes) =
     (SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(length(records)), 0)
      FROM entry WHERE entry.stream = stream.id)
   WHERE queued_entries ${OUTSIDE} OR queued_readings ${OUTSIDE} OR queued_bytes ${OUTSIDE}`,
];

/**
 * Damaged running numbers would refuse every append for ever: they are continued after the
 * greatest in use. Errors: `store-damaged` where that cannot be known; nothing is changed then.
 */
export function repairNumbers(database: Database): void {
  database.transaction(() => {
    for (const query of HOPELESS) {
      if (database.prepare(query).get() !== undefined) {
        throw new OperatingError('store-damaged', 'a running number is beyond repair');
      }
    }
    for (const row of database.prepare<[], EntryRow>(AHEAD).all()) assertProvenHead(row);
    for (const repair of REPAIRS) database.exec(repair);
  })();
}
