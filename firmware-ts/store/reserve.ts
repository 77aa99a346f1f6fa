import { closeSync, fsyncSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Room for what SQLite must write before an acknowledgement on a full disk: its log holds a
 * thousand pages and one batch (6 MiB at most), all of which may have to grow the database first.
 */
const RESERVE_BYTES = 8 << 20;
/** Room beside the reserve before it is taken: a log that is written next would need it again. */
const MARGIN_BYTES = 4 << 20;
const BLOCK_BYTES = 1 << 20;
/** Commits before the next try, where the file system promised room that it does not have. */
const FAILED_TRY_COMMITS = 256;

/** Bytes that a directory's file system has for us: of the machine, or as a simulation says. */
export type FreeBytes = (directory: string) => number;

/** A file that only takes up room, given back when the disk is full. */
export class Reserve {
  readonly #file: string;
  readonly #freeBytes: FreeBytes;
  #present: boolean;
  #skip = 0;

  constructor(file: string, freeBytes: FreeBytes) {
    this.#file = file;
    this.#freeBytes = freeBytes;
    this.#present = statSync(file, { throwIfNoEntry: false })?.size === RESERVE_BYTES;
    if (!this.#present) this.release(); // one that was cut short takes room and gives none
    this.restore();
  }

  get present(): boolean {
    return this.#present;
  }

  /** Takes the room if the disk has plenty; answers whether the reserve is there. */
  restore(): boolean {
    if (this.#present) return true;
    this.#skip -= 1;
    if (this.#skip >= 0 || !this.#fits()) return false;
    this.#present = this.#fill();
    if (!this.#present) this.#skip = FAILED_TRY_COMMITS; // a quota, of which statfs knows nothing
    return this.#present;
  }

  /** Whether so little is left beside the reserve that a log could not be emptied any more. */
  get scarce(): boolean {
    return this.#freeBytes(dirname(this.#file)) < MARGIN_BYTES;
  }

  release(): void {
    rmSync(this.#file, { force: true });
    this.#present = false;
  }

  #fits(): boolean {
    return this.#freeBytes(dirname(this.#file)) >= RESERVE_BYTES + MARGIN_BYTES;
  }

  #fill(): boolean {
    try {
      fill(this.#file);
      return true;
    } catch {
      this.release(); // whatever the reason: without the reserve the database does not grow
      return false;
    }
  }
}

/** Not a hole and not zeros: some file systems store neither. */
function fill(file: string): void {
  const handle = openSync(file, 'w', 0o600);
  try {
    const block = Buffer.alloc(BLOCK_BYTES, 'reserve\n');
    for (let left = RESERVE_BYTES; left > 0;) left -= writeSync(handle, block);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function reserveIn(directory: string): string {
  return join(directory, 'reserve');
}

/** What the store in `directory` may grow by, with its reserve and the margin left. */
export function roomIn(directory: string, freeBytes: FreeBytes): number {
  const present = statSync(reserveIn(directory), { throwIfNoEntry: false }) !== undefined;
  return freeBytes(directory) - MARGIN_BYTES - (present ? 0 : RESERVE_BYTES);
}

export const machineFreeBytes: FreeBytes = (directory) => {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
};
