import type { Database } from 'better-sqlite3';
import { OperatingError } from '#bytes/failure.ts';
import { ENTRIES_PER_EPOCH } from './schema.ts';

/** No number of ours comes near it; one beyond has been damaged. Leaves room to count on. */
const NUMBER_MAX = 2 ** 52;

/** Newest entries that are compared with the numbers of their streams: not the whole backlog. */
const RECENT_ENTRIES = 1_000;

const RECENT = `SELECT stream, sequence FROM outbox ORDER BY id DESC LIMIT ${RECENT_ENTRIES}`;
const OUTSIDE = `NOT BETWEEN 0 AND ${NUMBER_MAX}`;

/** Each finds a row where numbers are beyond repair: nothing says what they were. */
const HOPELESS: readonly string[] = [
  `SELECT 1 FROM meta WHERE epoch ${OUTSIDE}`,
  `SELECT 1 FROM (SELECT max(id) AS id FROM outbox) WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM (SELECT max(id) AS id FROM observation) WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM source WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM backend WHERE id ${OUTSIDE}`,
  `SELECT 1 FROM stream WHERE id ${OUTSIDE} OR epoch ${OUTSIDE}`,
  `SELECT 1 FROM (${RECENT}) WHERE sequence ${OUTSIDE}`,
  `SELECT 1 FROM stream WHERE next_sequence ${OUTSIDE}
   AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.stream = stream.id)`,
];

/**
 * Each sets right what the rows themselves tell. An entry's successor has the next sequence, since
 * only a prefix of a stream is ever deleted; an id need only be greater than all in the file.
 */
const REPAIRS: readonly string[] = [
  `UPDATE meta SET next_entry =
     (SELECT max(coalesce(max(id), 0) + 1, epoch * ${ENTRIES_PER_EPOCH}) FROM outbox)
   WHERE next_entry NOT BETWEEN
     (SELECT coalesce(max(id), 0) + 1 FROM outbox) AND ${NUMBER_MAX}`,
  `UPDATE meta SET next_observation = (SELECT coalesce(max(id), 0) + 1 FROM observation)
   WHERE next_observation NOT BETWEEN
     (SELECT coalesce(max(id), 0) + 1 FROM observation) AND ${NUMBER_MAX}`,
  `UPDATE stream SET next_sequence =
     (SELECT max(sequence) + 1 FROM outbox WHERE outbox.stream = stream.id)
   WHERE next_sequence ${OUTSIDE}`,
  `UPDATE stream SET next_sequence = recent.last + 1
   FROM (SELECT stream, max(sequence) AS last FROM (${RECENT}) GROUP BY stream) AS recent
   WHERE recent.stream = stream.id AND next_sequence <= recent.last`,
  `UPDATE source SET bytes =
     (SELECT coalesce(sum(length(form)), 0) FROM observation WHERE observation.source = source.id)
   WHERE bytes ${OUTSIDE}`,
  `UPDATE backend SET (queued_entries, queued_readings) =
     (SELECT count(*), coalesce(sum(readings), 0) FROM outbox WHERE outbox.backend = backend.id)
   WHERE queued_entries ${OUTSIDE} OR queued_readings ${OUTSIDE}`,
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
    for (const repair of REPAIRS) database.exec(repair);
  })();
}
