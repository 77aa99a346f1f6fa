import type { PageFile } from './page-file.ts';

/** Kinds of pages of a b-tree (sqlite.org/fileformat.html, 1.6). */
const KIND = { indexInterior: 2, tableInterior: 5, indexLeaf: 10, tableLeaf: 13 } as const;

/** The largest row that normd writes, with much to spare: a larger length has been damaged. */
const PAYLOAD_BYTES_MAX = 8 << 20;

export type Value = number | string | null | Uint8Array;

/** One row of a page. */
export interface Cell {
  /** Of a table's row. */
  readonly id: number | undefined;
  /** A letter a column: `n`ull, `i`nteger, `r`eal, `b`lob, `t`ext. */
  readonly shape: string;
  /** Nothing if a part of it lies in another page that is not what it should be. */
  values(): readonly Value[] | undefined;
}

/** What a page of a table or an index holds, without what is damaged; nothing for other pages. */
export function cellsOf(file: PageFile, number: number, page: Buffer): readonly Cell[] {
  const start = number === 1 ? 100 : 0;
  const kind = page[start];
  if (kind !== KIND.tableLeaf && kind !== KIND.indexLeaf && kind !== KIND.indexInterior) return [];
  const pointers = start + (kind === KIND.indexInterior ? 12 : 8);
  const most = Math.floor((page.length - pointers) / 2);
  const count = Math.min(page.readUInt16BE(start + 3), most);
  const cells: Cell[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = page.readUInt16BE(pointers + 2 * index);
    const cell = at < pointers ? undefined : cellAt(file, page, at, kind);
    if (cell !== undefined) cells.push(cell);
  }
  return cells;
}

/** Pages below an interior one; an index of ours is never deep. */
export function childrenOf(page: Buffer): readonly number[] {
  if (page[0] !== KIND.indexInterior && page[0] !== KIND.tableInterior) return [];
  const count = Math.min(page.readUInt16BE(3), Math.floor((page.length - 12) / 2));
  const children = Array.from({ length: count }, (_, index) => page.readUInt16BE(12 + 2 * index))
    .filter((at) => at + 4 <= page.length)
    .map((at) => page.readUInt32BE(at));
  return [...children, page.readUInt32BE(8)];
}

function cellAt(file: PageFile, page: Buffer, at: number, kind: number): Cell | undefined {
  const cursor = new Cursor(page, kind === KIND.indexInterior ? at + 4 : at);
  const length = cursor.varint();
  const isTable = kind === KIND.tableLeaf;
  const id = isTable ? cursor.varint() : undefined;
  if (!(length > 0 && length <= PAYLOAD_BYTES_MAX) || Number.isNaN(id)) return undefined;
  const here = localBytes(length, page.length, isTable);
  const spills = here < length;
  if (cursor.at + here + (spills ? 4 : 0) > page.length) return undefined;
  const local = Buffer.from(page.subarray(cursor.at, cursor.at + here));
  const types = typesOf(local, length);
  if (types === undefined) return undefined;
  const next = spills ? page.readUInt32BE(cursor.at + here) : 0;
  const shape = types.list.map(letterOf).join('');
  const values = (): readonly Value[] | undefined => {
    const whole = spills ? withOverflow(file, local, length, next) : local;
    return whole && valuesOf(whole, types.list, types.bytes);
  };
  return { id, shape, values };
}

/** Section 1.6: how much of a payload lies in the cell itself. */
function localBytes(length: number, pageBytes: number, isTable: boolean): number {
  const most = isTable ? pageBytes - 35 : Math.floor(((pageBytes - 12) * 64) / 255) - 23;
  if (length <= most) return length;
  const least = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const fitting = least + ((length - least) % (pageBytes - 4));
  return fitting <= most ? fitting : least;
}

/** A chain of the right length that ends where it must. */
function withOverflow(
  file: PageFile,
  local: Buffer,
  length: number,
  first: number,
): Buffer | undefined {
  const parts = [local];
  let [left, next] = [length - local.length, first];
  while (left > 0) {
    if (next === 0 || next > file.pageCount || file.free.has(next)) return undefined;
    const page = file.page(next);
    if (page === undefined) return undefined;
    const part = Math.min(left, page.length - 4);
    parts.push(Buffer.from(page.subarray(4, 4 + part)));
    left -= part;
    next = page.readUInt32BE(0);
  }
  return next === 0 ? Buffer.concat(parts) : undefined;
}

interface Types {
  readonly list: readonly number[];
  /** Where the values begin. */
  readonly bytes: number;
}

/** Section 2.1; the list of types of our rows always lies in the cell itself. */
function typesOf(local: Buffer, length: number): Types | undefined {
  const cursor = new Cursor(local, 0);
  const bytes = cursor.varint();
  if (!(bytes > 0 && bytes <= local.length)) return undefined;
  const list: number[] = [];
  let content = 0;
  while (cursor.at < bytes) {
    const type = cursor.varint();
    if (!(type >= 0) || type === 10 || type === 11) return undefined;
    content += bytesOf(type);
    list.push(type);
  }
  return cursor.at === bytes && bytes + content === length ? { list, bytes } : undefined;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0] as const;
const REAL = 7;
const FIRST_BLOB = 12;

function bytesOf(type: number): number {
  return type < FIRST_BLOB ? (INTEGER_BYTES[type] ?? 0) : (type - FIRST_BLOB) >> 1;
}

function letterOf(type: number): string {
  if (type === 0) return 'n';
  if (type === REAL) return 'r';
  if (type < FIRST_BLOB) return 'i';
  return type % 2 === 0 ? 'b' : 't';
}

function valuesOf(bytes: Buffer, types: readonly number[], start: number): readonly Value[] {
  let at = start;
  return types.map((type) => {
    const from = at;
    at += bytesOf(type);
    const part = bytes.subarray(from, at);
    if (type === 0) return null;
    if (type === REAL) return part.readDoubleBE(0);
    if (type < FIRST_BLOB) return integerOf(type, part);
    return type % 2 === 0 ? new Uint8Array(part) : part.toString('utf8');
  });
}

function integerOf(type: number, bytes: Buffer): number {
  if (type === 8 || type === 9) return type - 8;
  return bytes.length === 8 ? Number(bytes.readBigInt64BE(0)) : bytes.readIntBE(0, bytes.length);
}

class Cursor {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Section 1.6; `NaN` if it is cut short, or no number of ours. */
  varint(): number {
    let value = 0;
    for (let count = 0; count < 8; count += 1) {
      const octet = this.#bytes[this.at];
      if (octet === undefined) return NaN;
      this.at += 1;
      value = value * 128 + (octet & 0x7f);
      if (octet < 128) return Number.isSafeInteger(value) ? value : NaN;
    }
    return NaN;
  }
}
