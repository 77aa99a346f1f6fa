import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { forgetBoots } from './boots.ts';
import { diskFailure, isUnusableFile } from './disk-failure.ts';
import { LOG_SUFFIXES, readStart, sizeOf, sync } from './files.ts';
import { Ledger } from './ledger.ts';
import { PAGE_BYTES, makeFile, openFile } from './make-file.ts';
import type { ThreadSetting } from './messages.ts';
import { migrate } from './migrations.ts';
import { repairNumbers } from './repair.ts';
import type { FreeBytes } from './reserve.ts';
import { machineFreeBytes } from './reserve.ts';
import { readLog } from './salvage/log-file.ts';
import { APPLICATION_ID } from './schema.ts';
import type { Aside } from './set-aside.ts';
import { asideOf, setAside, settle } from './set-aside.ts';
import type { NamedGap, Opening } from './store.ts';
import { makeSuccessor } from './successor.ts';

const FILE_NAME = 'store.db';

/**
 * After an unclean stop a file up to this size is checked in full (some 0.1 s, a few seconds on a
 * slow card). Damage in a larger one is found on use and treated alike.
 */
const CHECK_BYTES_MAX = 64 << 20;

/** The write-ahead log is cut to this after a checkpoint: a burst does not keep its space. */
const LOG_BYTES_KEPT = 4 << 20;

/**
 * Pages of the file in memory, KiB. A backlog passes through it once, and would fill any; the
 * kernel keeps pages, too. SQLite's own default is 2 MiB, the package's 16.
 */
const CACHE_KIBIBYTES = 2048;

export interface OpenLedger {
  readonly ledger: Ledger;
  readonly opening: Opening;
}

export interface OpenHow {
  readonly freeBytes: FreeBytes;
  /** What was found damaged in use, and has no successor yet. */
  readonly aside?: Aside;
}

/**
 * Opens the store in `setting.directory`, which is made if need be (mode 0700; the file 0600). A
 * file that is damaged or not ours is set aside and a new one begun with what can be read of it.
 * Errors: `store-locked`, `disk-full`, `disk-error`, `disk-read-only`.
 */
export function openLedger(
  setting: ThreadSetting,
  how: OpenHow = { freeBytes: machineFreeBytes },
): OpenLedger {
  const file = join(setting.directory, FILE_NAME);
  try {
    makeDirectory(setting.directory);
    const aside = asideOf(file) ?? (existsSync(file) ? undefined : how.aside);
    if (aside !== undefined) return succeed(file, aside, setting, how);
    const ledger = tryOpen(file, setting);
    return { ledger, opening: openingOf(file, ledger) };
  } catch (error) {
    const failure = diskFailure(error);
    if (!isUnusableFile(failure) || how.aside !== undefined) throw failure;
    return openLedger(setting, { ...how, aside: setAside(file, failure) });
  }
}

/** A new file in place of the one that was set aside. */
function succeed(file: string, aside: Aside, setting: ThreadSetting, how: OpenHow): OpenLedger {
  const { entries, gaps, failure } = makeSuccessor(file, aside, setting, how.freeBytes);
  settle(file);
  const ledger = tryOpen(file, setting, gaps);
  const salvage = failure === undefined ? {} : { salvageFailure: failure };
  return {
    ledger,
    opening: {
      ...openingOf(file, ledger),
      setAside: { ...aside, salvagedEntries: entries, ...salvage },
    },
  };
}

function openingOf(file: string, { epoch, believedMs }: Ledger): Opening {
  return { file, epoch, ...(believedMs && { believedMs }) };
}

function tryOpen(file: string, setting: ThreadSetting, gaps: readonly NamedGap[] = []): Ledger {
  const unclean = LOG_SUFFIXES.some((suffix) => sizeOf(file + suffix) > 0);
  const fresh = sizeOf(file) === 0;
  if (unclean && fresh) throw new OperatingError('store-damaged', 'the log has lost its database');
  if (fresh) makeFile(file, setting, (database) => migrate(database, setting.newEpoch));
  else assertOurs(file);
  if (unclean) {
    syncLog(file);
    assertSoundLog(file);
  }
  const database = openFile(file, setting);
  try {
    configure(database, setting);
    const checked = unclean && sizeOf(file) <= CHECK_BYTES_MAX;
    if (checked) assertSound(database);
    migrate(database, setting.newEpoch);
    if (checked) assertIndexed(database);
    repairNumbers(database);
    forgetBoots(database);
    if (unclean) emptyLog(database);
    const { retention, outboxes, outboxRetention, now } = setting;
    const outboxOf = (backend: string) => outboxes[backend] ?? outboxRetention;
    return new Ledger(database, { shelf: retention, outboxOf }, now, gaps);
  } catch (error) {
    database.close();
    throw error;
  }
}

function configure(database: Database, { outlives }: ThreadSetting): void {
  // Exclusive: a second normd is refused, and no shared-memory file is needed.
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = WAL');
  // FULL: each commit syncs the log before it returns; NORMAL would lose the last ones.
  database.pragma(`synchronous = ${outlives === 'process' ? 'OFF' : 'FULL'}`);
  database.pragma(`journal_size_limit = ${LOG_BYTES_KEPT}`);
  database.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
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

function assertSound(database: Database): void {
  const verdict = String(database.pragma('quick_check(1)', { simple: true }));
  if (verdict !== 'ok') throw new OperatingError('store-damaged', verdict);
}

/** Rows of the outbox that the index does not lead to, or under another lane or state. */
const NOT_INDEXED = `SELECT 1 FROM entry AS one NOT INDEXED WHERE NOT EXISTS (
  SELECT 1 FROM entry AS other INDEXED BY entry_by_lane
  WHERE other.lane = one.lane AND other.state = one.state AND other.id = one.id)`;

/** The quick check does not compare an index with its table; what it lacks would never be sent. */
function assertIndexed(database: Database): void {
  if (database.prepare(NOT_INDEXED).get() !== undefined) {
    throw new OperatingError('store-damaged', 'an entry is missing from its index');
  }
}

/** SQLite takes a log up to the first frame that does not fit, and would forget the rest. */
function assertSoundLog(file: string): void {
  const log = `${file}-wal`;
  if (sizeOf(log) > 0 && readLog(log, PAGE_BYTES).damaged) {
    throw new OperatingError('store-damaged', 'the log is damaged within');
  }
}

/** What a power cut has left of a transaction would lie behind the next ones, and look like one. */
function emptyLog(database: Database): void {
  try {
    database.pragma('wal_checkpoint(TRUNCATE)');
  } catch (error) {
    if (failureOf(diskFailure(error)).code !== 'disk-full') throw error;
  }
}

function makeDirectory(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (first !== undefined) sync(dirname(first));
}

/**
 * What a killed process wrote and did not sync can be read, and would be sent under its numbers;
 * a power cut must not take it back then, or the numbers would be given a second time.
 */
function syncLog(file: string): void {
  for (const suffix of LOG_SUFFIXES) if (sizeOf(file + suffix) > 0) sync(file + suffix);
}
