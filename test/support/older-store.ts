/** What each version has added to the one before, taken back; by the version that is left. */
const BACK = {
  8: 'ALTER TABLE stream DROP COLUMN untold;',
  7: 'DROP TABLE traffic;',
  6: `
    DROP TABLE unsorted;
    UPDATE backend SET (queued_entries, queued_readings, queued_bytes) =
      (SELECT coalesce(sum(queued_entries), 0), coalesce(sum(queued_readings), 0),
         coalesce(sum(queued_bytes), 0) FROM stream WHERE stream.backend = backend.id);
    ALTER TABLE stream DROP COLUMN queued_entries;
    ALTER TABLE stream DROP COLUMN queued_readings;
    ALTER TABLE stream DROP COLUMN queued_bytes;`,
  5: 'ALTER TABLE stream DROP COLUMN told_through;',
  4: 'ALTER TABLE entry DROP COLUMN checks; DROP TABLE damaged;',
  3: 'ALTER TABLE gap DROP COLUMN told;',
} as const;

/** SQL that makes of a store's file one of an earlier version; what is not sorted is lost. */
export function backTo(version: keyof typeof BACK): string {
  const steps = Object.entries(BACK).filter(([left]) => Number(left) >= version);
  return `${steps
    .reverse()
    .map(([, step]) => step)
    .join('')} PRAGMA user_version = ${version};`;
}
