import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Log } from './log-file.ts';
import { isPageSize, readLog } from './log-file.ts';

/** Where the header of the database has what (sqlite.org/fileformat.html, 1.3). */
const HEADER = { magic: 'SQLite format 3\0', pageBytes: 16, firstFree: 32, freeCount: 36 } as const;
const HEADER_BYTES = 100;
const CHUNK_BYTES = 1 << 18;

const NO_LOG: Log = { pageBytes: undefined, pages: new Map(), damaged: false };

/**
 * The pages of a database as they lie there, each in its newest version, of the file or of its
 * log. Only reads: SQLite itself would write into both. What cannot be read is no page.
 */
export class PageFile {
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Pages that hold nothing any more, though old content may lie in them. */
  readonly free: ReadonlySet<number>;
  /** Each page is known to be the newest, and those that are free are known. */
  readonly certain: boolean;
  readonly #handle: number;
  readonly #logHandle: number | undefined;
  readonly #log: Log;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkAt = -1;

  /** `pageBytes` where neither file tells. Errors: of `openSync`, if there is no such file. */
  constructor(file: string, pageBytes: number) {
    this.#handle = openSync(file, 'r');
    const { size } = fstatSync(this.#handle);
    const head = Buffer.alloc(HEADER_BYTES);
    readSync(this.#handle, head, 0, HEADER_BYTES, 0);
    const told = head.readUInt16BE(HEADER.pageBytes);
    const own = head.toString('latin1', 0, 16) === HEADER.magic && isPageSize(told);
    const log = `${file}-wal`;
    const present = existsSync(log);
    this.#log = present ? readLog(log, own ? told : pageBytes) : NO_LOG;
    this.#logHandle = present ? openSync(log, 'r') : undefined;
    this.pageBytes = own ? told : (this.#log.pageBytes ?? pageBytes);
    const last = [...this.#log.pages.keys()].reduce((most, page) => Math.max(most, page), 0);
    this.pageCount = Math.max(Math.ceil(size / this.pageBytes), last);
    const free = this.#freePages();
    this.free = free ?? new Set();
    this.certain = free !== undefined && !this.#log.damaged;
  }

  /** Page `number`, counted from 1; a view that holds until the next call. */
  page(number: number): Buffer | undefined {
    const { pageBytes } = this;
    const inLog = this.#log.pages.get(number);
    if (inLog !== undefined && this.#logHandle !== undefined) {
      return readWhole(this.#logHandle, inLog, pageBytes);
    }
    const at = (number - 1) * pageBytes;
    const inChunk = at - this.#chunkAt;
    const { length } = this.#chunk;
    if (this.#chunkAt >= 0 && inChunk >= 0 && inChunk + pageBytes <= length) {
      return this.#chunk.subarray(inChunk, inChunk + pageBytes);
    }
    return readWhole(this.#handle, at, pageBytes);
  }

  /** Each page in the order of the file, which is read in large parts. */
  *pages(): Generator<readonly [number: number, page: Buffer]> {
    for (let number = 1; number <= this.pageCount; number += 1) {
      const at = (number - 1) * this.pageBytes;
      if (this.#chunkAt < 0 || at + this.pageBytes > this.#chunkAt + this.#chunk.length) {
        this.#chunk = readWhole(this.#handle, at, CHUNK_BYTES, true) ?? Buffer.alloc(0);
        this.#chunkAt = at;
      }
      const page = this.page(number);
      if (page !== undefined) yield [number, page];
    }
    this.#chunkAt = -1;
  }

  close(): void {
    closeSync(this.#handle);
    if (this.#logHandle !== undefined) closeSync(this.#logHandle);
  }

  /** Section 1.5: a list of lists. Nothing if it is damaged: then any page may be a free one. */
  #freePages(): ReadonlySet<number> | undefined {
    const head = this.page(1);
    if (head?.toString('latin1', 0, 16) !== HEADER.magic) return undefined;
    const count = head.readUInt32BE(HEADER.freeCount);
    const free = new Set<number>();
    for (let next = head.readUInt32BE(HEADER.firstFree); next !== 0;) {
      const page = this.page(next);
      if (page === undefined || free.size >= count) return undefined;
      const length = page.readUInt32BE(4);
      if (length > this.pageBytes / 4 - 2) return undefined;
      free.add(next);
      for (let at = 0; at < length; at += 1) free.add(page.readUInt32BE(8 + 4 * at));
      next = page.readUInt32BE(0);
    }
    const sound = free.size === count && [...free].every((page) => page <= this.pageCount);
    return sound ? free : undefined;
  }
}

function readWhole(handle: number, at: number, length: number, orLess = false): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  try {
    const read = readSync(handle, bytes, 0, length, at);
    if (read === length) return bytes;
    return orLess ? bytes.subarray(0, read) : undefined;
  } catch {
    return undefined; // a sector that the disk does not give out
  }
}
