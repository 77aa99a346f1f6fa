import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { OperatingError } from '#bytes/failure.ts';
import { isCredential, loading } from './service-credentials.ts';

/** Who may use the file: `owner` refuses one whose mode lets group or others do anything. */
export type FileUsers = 'anyone' | 'owner';

export interface BoundedFile {
  readonly users: FileUsers;
  readonly bytesMax: number;
}

/** A FIFO without a writer must not hold us up, a terminal must not become ours (open(2)). */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

const NOT_OWNER = 0o077;
/** A service that is not root reads its credentials by an ACL, whose mask shows as the group's. */
const NOT_SERVICE = 0o037;

/**
 * All bytes of a regular file. What is judged is the open file, so that nothing can be put in its
 * place between the check and the reading.
 * Errors, with the path and a hint: `missing-file`, `unreadable-file` (also for what is no regular
 * file), `file-too-open`, `file-too-long`. None holds any of the content.
 */
export function readBounded(path: string, { users, bytesMax }: BoundedFile): Buffer {
  return withOpen(path, users, (file) => {
    const buffer = Buffer.alloc(Math.min(bytesMax, fstatSync(file).size) + 1);
    const length = fill(path, file, buffer);
    if (length < buffer.length) return buffer.subarray(0, length);
    throw new OperatingError('file-too-long', `${path} is longer than ${length - 1} bytes`, {
      path,
      hint: 'Check that it is the right file, and that nothing writes to it.',
    });
  });
}

/** Opens the file as `readBounded` does, and reads nothing. Errors: the same. */
export function assertOpens(path: string, users: FileUsers): void {
  withOpen(path, users, () => undefined);
}

function withOpen<Result>(path: string, users: FileUsers, use: (file: number) => Result): Result {
  const file = openRegular(path);
  try {
    const { mode } = fileStatus(path, file);
    const refused = isCredential(path) ? NOT_SERVICE : NOT_OWNER;
    if (users === 'owner' && (mode & refused) !== 0) throw tooOpen(path, mode);
    return use(file);
  } finally {
    closeSync(file);
  }
}

function openRegular(path: string): number {
  try {
    return openSync(path, OPEN_FLAGS);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function fileStatus(path: string, file: number): { readonly mode: number } {
  const status = fstatSync(file);
  if (status.isFile()) return status;
  const hint = 'Name a regular file.';
  throw new OperatingError('unreadable-file', `${path} is no regular file`, { path, hint });
}

/** Reads until the end of the file or of the buffer; returns how many bytes came. */
function fill(path: string, file: number, buffer: Buffer): number {
  let length = 0;
  try {
    for (;;) {
      const read = readSync(file, buffer, length, buffer.length - length, null);
      length += read;
      if (read === 0 || length === buffer.length) return length;
    }
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): OperatingError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  if (reason === 'ENOENT') {
    const hint = isCredential(path)
      ? `Add ${loading(basename(path))} to the unit of this service.`
      : 'Check the path.';
    return new OperatingError('missing-file', `${path} does not exist`, { path, hint, cause });
  }
  const hint = 'Check owner and mode of the file: the user of normd must be able to read it.';
  const message = `cannot read ${path} (${reason})`;
  return new OperatingError('unreadable-file', message, { path, hint, cause });
}

function tooOpen(path: string, mode: number): OperatingError {
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  const message = `others than its owner may use ${path} (mode ${octal})`;
  return new OperatingError('file-too-open', message, { path, hint: `Run: chmod 0600 ${path}` });
}
