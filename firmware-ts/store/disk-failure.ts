import { accessSync, constants } from 'node:fs';
import { OperatingError } from '#bytes/failure.ts';

/** SQLite's result codes (sqlite.org/rescode.html) by the prefix that decides, in words of ours. */
const CODES: readonly (readonly [prefix: string, code: string, hint: string])[] = [
  ['SQLITE_FULL', 'disk-full', 'free space on the disk that holds the store'],
  ['SQLITE_IOERR', 'disk-error', 'look for errors of the disk in the kernel log'],
  ['SQLITE_READONLY', 'disk-read-only', 'the file system may have been remounted after an error'],
  ['SQLITE_CANTOPEN', 'disk-error', 'check that the directory exists and may be written'],
  ['SQLITE_PERM', 'disk-error', 'check the owner and mode of the store'],
  ['SQLITE_BUSY', 'store-locked', 'another normd uses this directory'],
  ['SQLITE_LOCKED', 'store-locked', 'another normd uses this directory'],
  ['SQLITE_CORRUPT', 'store-damaged', 'the file is kept under another name'],
  ['SQLITE_NOTADB', 'store-damaged', 'the file is kept under another name'],
  // What is written has been checked: only numbers read from a damaged file break these.
  ['SQLITE_CONSTRAINT', 'store-damaged', 'the file is kept under another name'],
  ['SQLITE_MISMATCH', 'store-damaged', 'the file is kept under another name'],
  ['SQLITE_TOOBIG', 'store-damaged', 'the file is kept under another name'],
  // No row of ours takes much: a length that was read from a damaged page does.
  ['SQLITE_NOMEM', 'store-damaged', 'the file is kept under another name'],
];

/** A table or column that our version promises is gone; no other plain error is about the file. */
const SCHEMA_LOST = /no such (table|column)|has no column named/;

/** An error of SQLite or of the file system as an operating error; others as they are. */
export function diskFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof OperatingError) return error;
  const native = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (native === 'SQLITE_ERROR' && SCHEMA_LOST.test(error.message)) {
    return new OperatingError('store-damaged', error.message, { cause: error });
  }
  const known = CODES.find(([prefix]) => native.startsWith(prefix));
  if (known !== undefined) {
    return new OperatingError(known[1], `${error.message} (${native})`, {
      hint: known[2],
      cause: error,
    });
  }
  if (native === 'ENOSPC' || native === 'EDQUOT') {
    return new OperatingError('disk-full', error.message, { cause: error });
  }
  if (native === 'EROFS') {
    return diskReadOnly(error.message, error);
  }
  if (/^E[A-Z0-9]+$/.test(native)) {
    return new OperatingError('disk-error', error.message, { cause: error });
  }
  return error;
}

/**
 * The same of what was done to a file in `directory`: SQLite says of a write to a file that it has
 * open only that it failed, also when the file system was remounted read-only after an error.
 */
export function diskFailureIn(directory: string, error: unknown): unknown {
  const failure = diskFailure(error);
  if (!(failure instanceof OperatingError) || failure.code !== 'disk-error') return failure;
  const { message } = failure;
  return isReadOnly(directory) ? diskReadOnly(message, failure) : failure;
}

/** access(2): of a file system that is read-only nobody may write, root neither. */
function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS';
  }
}

function diskReadOnly(message: string, cause: unknown): OperatingError {
  const hint = 'the file system may have been remounted after an error';
  return new OperatingError('disk-read-only', message, { hint, cause });
}

/** Codes that say that this file cannot be used, though another one could. */
export function isUnusableFile(error: unknown): error is OperatingError {
  return (
    error instanceof OperatingError &&
    ['store-damaged', 'store-foreign', 'store-newer'].includes(error.code)
  );
}
