import { closeSync, fsyncSync, openSync, readSync, statSync } from 'node:fs';

/** What SQLite puts beside the file; they belong together. */
export const SUFFIXES = ['', '-wal', '-shm', '-journal'] as const;
export const LOG_SUFFIXES = ['-wal', '-journal'] as const;

/** Of a directory: makes its names durable, which the fsync of a file does not (fsync(2)). */
export function sync(file: string): void {
  const handle = openSync(file, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

export function readStart(file: string, length: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const start = Buffer.alloc(length);
    return start.subarray(0, readSync(handle, start));
  } finally {
    closeSync(handle);
  }
}
