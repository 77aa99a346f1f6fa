import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { sync } from './files.ts';
import type { ThreadSetting } from './messages.ts';
import { APPLICATION_ID } from './schema.ts';

/** Another normd that is just stopping may hold the file this long. */
const LOCK_WAIT_MS = 2_000;

/** Each commit writes every page that it touches whole, twice in the end: small ones wear less. */
export const PAGE_BYTES = 1024;

type Addon = Pick<ThreadSetting, 'addonFile'>;

export function openFile(file: string, { addonFile }: Addon): Database {
  return new Sqlite(file, {
    timeout: LOCK_WAIT_MS,
    ...(addonFile === undefined ? {} : { nativeBinding: addonFile }),
  });
}

/** The file gets its name when it is marked, filled and durable: a power cut leaves no half. */
export function makeFile<Filled>(
  file: string,
  setting: Addon,
  fill?: (database: Database) => Filled,
): Filled | undefined {
  const begun = begunOf(file);
  rmSync(begun, { force: true });
  closeSync(openSync(begun, 'a', 0o600)); // SQLite gives its log the mode of the file
  const database = openFile(begun, setting);
  let filled: Filled | undefined;
  try {
    // Nobody needs the half of it.
    database.pragma('journal_mode = OFF');
    database.pragma('synchronous = OFF');
    database.pragma(`page_size = ${PAGE_BYTES}`);
    database.pragma(`application_id = ${APPLICATION_ID}`);
    filled = fill?.(database);
  } finally {
    database.close();
  }
  sync(begun);
  renameSync(begun, file);
  sync(dirname(file));
  return filled;
}

export function begunOf(file: string): string {
  return `${file}.new`;
}
