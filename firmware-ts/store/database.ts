import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { forgetBoots } from './boots.ts';
import { diskFailure, isUnusableFile } from './disk-failure.ts';
import { Ledger } from './ledger.ts';
import type { ThreadSetting } from './messages.ts';
import { repairNumbers } from './repair.ts';
import { APPLICATION_ID, migrate } from './schema.ts';
import type { Opening, SetAside } from './store.ts';

const FILE_NAME = 'store.db';

/** Another normd that is just stopping may hold the file this long. */
const LOCK_WAIT_MS = 2_000;

/**
 * After an unclean stop a file up to this size is checked in full (some 0.1 s, a few seconds on a
 * slow card). Damage in a larger one is found on use and treated alike.
 */
const CHECK_BYTES_MAX = 64 << 20;

/** Each commit writes every page that it touches whole, twice in the end: small ones wear less. */
const PAGE_BYTES = 1024;

/** The write-ahead log is cut to this after a checkpoint: a burst does not keep its space. */
const LOG_BYTES_KEPT = 4 << 20;

/** What SQLite puts beside the file; they belong together. */
const SUFFIXES = ['', '-wal', '-shm', '-journal'] as const;
const LOG_SUFFIXES = ['-wal', '-journal'] as const;

export interface OpenLedger {
  readonly ledger: Ledger;
  readonly opening: Opening;
}

/**
 * Opens the store in `setting.directory`, which is made if need be (mode 0700; the file 0600). A
 * file that is damaged or not ours is set aside and a new one begun.
 * Errors: `store-locked`, `disk-full`, `disk-error`, `disk-read-only`.
 */
export function openLedger(setting: ThreadSetting): OpenLedger {
  const file = join(setting.directory, FILE_NAME);
  try {
    makeDirectory(setting.directory);
    const ledger = tryOpen(file, setting);
    const { epoch, believedMs } = ledger;
    return { ledger, opening: { file, epoch, ...(believedMs && { believedMs }) } };
  } catch (error) {
    const failure = diskFailure(error);
    if (!isUnusableFile(failure)) throw failure;
    // The epoch of the other one cannot be read; it began in this very second at the latest.
    const after = { ...setting, newEpoch: setting.newEpoch + 1 };
    return begin(file, after, setAside(file, failure));
  }
}

function begin(file: string, setting: ThreadSetting, aside: SetAside): OpenLedger {
  try {
    const ledger = tryOpen(file, setting);
    return { ledger, opening: { file, epoch: ledger.epoch, setAside: aside } };
  } catch (error) {
    throw diskFailure(error);
  }
}

/** Sets the file aside, which nobody has open any more. */
export function setAside(file: string, failure: OperatingError): SetAside {
  try {
    return { file: moveAside(file), failure: failureOf(failure), salvagedEntries: 0 };
  } catch (error) {
    throw diskFailure(error);
  }
}

function tryOpen(file: string, setting: ThreadSetting): Ledger {
  const unclean = LOG_SUFFIXES.some((suffix) => sizeOf(file + suffix) > 0);
  const fresh = sizeOf(file) === 0;
  if (unclean && fresh) throw new OperatingError('store-damaged', 'the log has lost its database');
  if (fresh) makeFile(file, setting);
  else assertOurs(file);
  if (unclean) syncLog(file);
  const database = openFile(file, setting);
  try {
    configure(database, setting);
    if (unclean && sizeOf(file) <= CHECK_BYTES_MAX) assertSound(database);
    migrate(database, setting.newEpoch);
    repairNumbers(database);
    forgetBoots(database);
    const { retention, outboxes, outboxRetention, now } = setting;
    const outboxOf = (backend: string) => outboxes[backend] ?? outboxRetention;
    return new Ledger(database, { shelf: retention, outboxOf }, now);
  } catch (error) {
    database.close();
    throw error;
  }
}

function openFile(file: string, { addonFile }: ThreadSetting): Database {
  return new Sqlite(file, {
    timeout: LOCK_WAIT_MS,
    ...(addonFile === undefined ? {} : { nativeBinding: addonFile }),
  });
}

function configure(database: Database, { outlives }: ThreadSetting): void {
  // Exclusive: a second normd is refused, and no shared-memory file is needed.
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = WAL');
  // FULL: each commit syncs the log before it returns; NORMAL would lose the last ones.
  database.pragma(`synchronous = ${outlives === 'process' ? 'OFF' : 'FULL'}`);
  database.pragma(`journal_size_limit = ${LOG_BYTES_KEPT}`);
  database.pragma('foreign_keys = OFF'); // the statements keep them; checks would cost each row
  database.pragma('trusted_schema = OFF');
}

/** SQLite's header (sqlite.org/fileformat.html, 1.3): its magic, and at 68 the application id. */
const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const APPLICATION_OFFSET = 68;

/** Looks before SQLite opens the file: not even the journal of a foreign one is touched. */
function assertOurs(file: string): void {
  const header = readStart(file, HEADER_BYTES);
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new OperatingError('store-damaged', 'the file does not begin like a database');
  }
  if (header.readUInt32BE(APPLICATION_OFFSET) !== APPLICATION_ID) {
    throw new OperatingError('store-foreign', 'the database belongs to another program');
  }
}

function readStart(file: string, length: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const start = Buffer.alloc(length);
    return start.subarray(0, readSync(handle, start));
  } finally {
    closeSync(handle);
  }
}

function assertSound(database: Database): void {
  const verdict = String(database.pragma('quick_check(1)', { simple: true }));
  if (verdict !== 'ok') throw new OperatingError('store-damaged', verdict);
}

function makeDirectory(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (first !== undefined) sync(dirname(first));
}

/** The file gets its name when it is marked and durable: a power cut leaves no half of one. */
function makeFile(file: string, setting: ThreadSetting): void {
  const begun = `${file}.new`;
  rmSync(begun, { force: true });
  closeSync(openSync(begun, 'a', 0o600)); // SQLite gives its log the mode of the file
  const database = openFile(begun, setting);
  try {
    database.pragma('journal_mode = MEMORY');
    database.pragma('synchronous = FULL');
    database.pragma(`page_size = ${PAGE_BYTES}`);
    database.pragma(`application_id = ${APPLICATION_ID}`);
  } finally {
    database.close();
  }
  renameSync(begun, file);
  sync(dirname(file));
}

/**
 * What a killed process wrote and did not sync can be read, and would be sent under its numbers;
 * a power cut must not take it back then, or the numbers would be given a second time.
 */
function syncLog(file: string): void {
  for (const suffix of LOG_SUFFIXES) if (sizeOf(file + suffix) > 0) sync(file + suffix);
}

function moveAside(file: string): string {
  let number = 1;
  while (SUFFIXES.some((suffix) => existsSync(`${file}.aside-${number}${suffix}`))) number += 1;
  const aside = `${file}.aside-${number}`;
  // The database first: cut short here, the next start finds a log alone and sets that aside too.
  for (const suffix of SUFFIXES) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  }
  sync(dirname(file));
  return aside;
}

/** Of a directory: makes its names durable, which the fsync of a file does not (fsync(2)). */
function sync(file: string): void {
  const handle = openSync(file, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
