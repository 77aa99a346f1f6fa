import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * What a write-ahead log holds (sqlite.org/fileformat.html, 4): the newest committed version of
 * each page. SQLite believes a log up to the first frame that does not fit; here what comes after
 * one is read too, if another transaction follows it: then it was synced, and has been damaged.
 */
export interface Log {
  readonly pageBytes: number | undefined;
  /** By page: where in the log its newest version begins. */
  readonly pages: ReadonlyMap<number, number>;
  /** Something that was synced cannot be read: pages may be older than they were. */
  readonly damaged: boolean;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit tells the order of octets in which checksums are computed. */
const MAGIC = 0x377f0682;
const PAGE_BYTES_LEAST = 512;
const PAGE_BYTES_MOST = 65_536;

type Sum = readonly [number, number];

export function readLog(file: string, pageBytesGiven: number): Log {
  const handle = openSync(file, 'r');
  try {
    return new LogReader(handle, pageBytesGiven).read();
  } finally {
    closeSync(handle);
  }
}

export function isPageSize(bytes: number): boolean {
  const isPower = (bytes & (bytes - 1)) === 0;
  return isPower && bytes >= PAGE_BYTES_LEAST && bytes <= PAGE_BYTES_MOST;
}

class LogReader {
  readonly #handle: number;
  readonly #size: number;
  readonly #pageBytes: number;
  readonly #known: boolean;
  readonly #bigEndian: boolean;
  /** Of the frames that belong to this log; without a head, of the first that fits. */
  #salt: string | undefined;
  #before: Sum;
  readonly #pages = new Map<number, number>();
  /** Since the last commit, and what was committed after a frame that does not fit. */
  #open = new Map<number, number>();
  readonly #later = new Map<number, number>();
  #misfit: { readonly seen: Set<number>; committed: boolean } | undefined;
  #damaged = false;

  constructor(handle: number, pageBytesGiven: number) {
    this.#handle = handle;
    this.#size = fstatSync(handle).size;
    const head = this.#bytes(0, HEADER_BYTES);
    const magic = head.readUInt32BE(0);
    this.#bigEndian = magic === MAGIC + 1;
    const sum = checksum([0, 0], [head.subarray(0, 24)], this.#bigEndian);
    this.#before = [head.readUInt32BE(24), head.readUInt32BE(28)];
    const pageBytes = head.readUInt32BE(8);
    const isOfLog = magic === MAGIC || this.#bigEndian;
    this.#known = isOfLog && isSame(sum, this.#before) && isPageSize(pageBytes);
    this.#pageBytes = this.#known ? pageBytes : pageBytesGiven;
    if (this.#known) this.#salt = head.toString('latin1', 16, 24);
    // Its head is synced before its first frame: without one, frames that fit tell of damage.
    else this.#misfit = { seen: new Set(), committed: false };
  }

  read(): Log {
    const frameBytes = FRAME_HEADER_BYTES + this.#pageBytes;
    for (let at = HEADER_BYTES; at + frameBytes <= this.#size; at += frameBytes) this.#take(at);
    if (this.#damaged) for (const [page, offset] of this.#later) this.#pages.set(page, offset);
    const pageBytes = this.#known || this.#damaged ? this.#pageBytes : undefined;
    return { pageBytes, pages: this.#pages, damaged: this.#damaged };
  }

  #take(at: number): void {
    const head = this.#bytes(at, FRAME_HEADER_BYTES);
    const page = head.readUInt32BE(0);
    if (!this.#fits(head, at)) {
      this.#misfit ??= { seen: new Set(this.#open.keys()), committed: false };
      return;
    }
    const { seen, committed } = this.#misfit ?? {};
    // No transaction writes a page twice, and none begins before the one before it was synced.
    if (committed === true || seen?.has(page) === true) this.#damaged = true;
    seen?.add(page);
    this.#open.set(page, at + FRAME_HEADER_BYTES);
    if (head.readUInt32BE(4) > 0) this.#commit();
  }

  #commit(): void {
    const pages = this.#misfit === undefined ? this.#pages : this.#later;
    for (const [page, offset] of this.#open) pages.set(page, offset);
    this.#open = new Map();
    if (this.#misfit !== undefined) this.#misfit.committed = true;
  }

  /** Whether a frame is as it was written after the one before it, whatever has become of that. */
  #fits(head: Buffer, at: number): boolean {
    const own: Sum = [head.readUInt32BE(16), head.readUInt32BE(20)];
    const before = this.#before;
    this.#before = own;
    const salt = head.toString('latin1', 8, 16);
    if (salt !== (this.#salt ?? salt)) return false;
    const content = this.#bytes(at + FRAME_HEADER_BYTES, this.#pageBytes);
    const sum = checksum(before, [head.subarray(0, 8), content], this.#bigEndian);
    if (!isSame(sum, own) || head.readUInt32BE(0) === 0) return false;
    this.#salt ??= salt;
    return true;
  }

  /** What cannot be read is zeros, which fit nothing. */
  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    try {
      readSync(this.#handle, bytes, 0, length, at);
    } catch {
      bytes.fill(0);
    }
    return bytes;
  }
}

function isSame(one: Sum, other: Sum): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

/** Section 4.2 of the format. */
function checksum(start: Sum, parts: readonly Buffer[], bigEndian: boolean): Sum {
  let [first, second] = start;
  for (const part of parts) {
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let at = 0; at + 8 <= part.length; at += 8) {
      first = (first + view.getUint32(at, !bigEndian) + second) >>> 0;
      second = (second + view.getUint32(at + 4, !bigEndian) + first) >>> 0;
    }
  }
  return [first, second];
}
