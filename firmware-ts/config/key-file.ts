import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';

/** 64 digits, separators and line ends; anything longer is no key. */
const KEY_FILE_BYTES_MAX = 1024;
const OTHERS = 0o077;

/**
 * The key in a file of hex text, 16 or 32 bytes. The file must be its owner's alone (0600).
 * Errors: `missing-file`, `file-too-open`, `bad-key-file`; none holds any of the content.
 */
export function readKeyFile(path: string): Uint8Array {
  const file = openPrivate(path);
  try {
    return keyFromText(path, readBounded(path, file));
  } finally {
    closeSync(file);
  }
}

/** Refuses a file that is missing or that others than its owner may read. */
export function assertPrivateFile(path: string): void {
  closeSync(openPrivate(path));
}

function openPrivate(path: string): number {
  const file = openReadable(path);
  const open = fstatSync(file).mode & OTHERS;
  if (open === 0) return file;
  closeSync(file);
  throw new OperatingError('file-too-open', `others than its owner may use ${path}`, {
    hint: `chmod 600 ${path}`,
  });
}

/** Opens a regular file; the caller closes it. Errors: `missing-file`. */
function openReadable(path: string): number {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new OperatingError('missing-file', `cannot read ${path} (${reason})`, {
      cause,
      hint: 'check the path, and that the user of normd may read it',
    });
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new OperatingError('missing-file', `${path} is not a file`, { hint: 'name a file' });
}

/** Refuses what cannot be read as a file. */
export function assertReadableFile(path: string): void {
  closeSync(openReadable(path));
}

function readBounded(path: string, file: number): string {
  const buffer = Buffer.alloc(KEY_FILE_BYTES_MAX + 1);
  const length = readSync(file, buffer, 0, buffer.length, 0);
  if (length > KEY_FILE_BYTES_MAX) throw badKey(path, 'is too long');
  return buffer.toString('latin1', 0, length);
}

function keyFromText(path: string, text: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = fromHex(text);
  } catch (error) {
    throw badKey(path, `has no hex text at character ${(failureOf(error).offset ?? 0) + 1}`);
  }
  if (key.length === 16 || key.length === 32) return key;
  throw badKey(path, `holds ${key.length} bytes`);
}

function badKey(path: string, what: string): OperatingError {
  return new OperatingError('bad-key-file', `${path} ${what}`, {
    hint: 'write the key as 32 or 64 hex digits',
  });
}
