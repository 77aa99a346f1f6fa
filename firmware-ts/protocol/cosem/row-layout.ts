import type { DataType } from '../dlms/data.ts';
import { DATE_TIME_BYTES } from '../dlms/date-time.ts';

/** What stands in a row: its first byte counted from the row's; of null-data, its tag. */
export interface Cell {
  readonly type: NumberType | TimeType | 'null-data';
  readonly at: number;
}

export interface RowLayout {
  /** Bytes of a row. */
  readonly stride: number;
  readonly cells: readonly Cell[];
  /** Where tags and lengths stand in a row, and what they are. */
  readonly fixed: readonly { readonly at: number; readonly octet: number }[];
}

/** Rows of one layout, one after the other. */
export interface RowRun {
  readonly layout: RowLayout;
  readonly start: number;
  readonly rows: number;
}

const NUMBERS = {
  3: { type: 'boolean', bytes: 1 },
  5: { type: 'double-long', bytes: 4 },
  6: { type: 'double-long-unsigned', bytes: 4 },
  15: { type: 'integer', bytes: 1 },
  16: { type: 'long', bytes: 2 },
  17: { type: 'unsigned', bytes: 1 },
  18: { type: 'long-unsigned', bytes: 2 },
  22: { type: 'enum', bytes: 1 },
  23: { type: 'float32', bytes: 4 },
  24: { type: 'float64', bytes: 8 },
} as const satisfies Readonly<Record<number, { type: DataType; bytes: number }>>;

export type NumberType = (typeof NUMBERS)[keyof typeof NUMBERS]['type'];
export type TimeType = 'octet-string' | 'date-time';

const NUMBER_TYPES: ReadonlySet<string> = new Set(Object.values(NUMBERS).map(({ type }) => type));

export function isNumberType(type: DataType): type is NumberType {
  return NUMBER_TYPES.has(type);
}

export const HUNDREDTHS_AT = 8;
const NULL_DATA = 0;
const STRUCTURE = 2;
const OCTET_STRING = 9;
const DATE_TIME = 25;
const LONGEST_SHORT_LENGTH = 0x7f;
/** Meters that leave values out have a handful; more are tried no faster than made anew. */
const LAYOUTS_MAX = 4;

/** Finds rows that are laid out alike, and remembers how those before were. */
export class RowLayouts {
  /** The column, from 0, whose octet-strings are times; -1 where none is. */
  readonly clock: number;
  readonly #columns: number;
  readonly #known: RowLayout[] = [];

  constructor(columns: number, clock: number) {
    this.#columns = columns;
    this.clock = clock;
  }

  /**
   * As many whole rows from `start` on as are structures of numbers, of null-data, and of a time in
   * the clock's column, all laid out as the first. `undefined` where the first is not.
   */
  runAt(bytes: Uint8Array, start: number, rowsMax: number): RowRun | undefined {
    for (const layout of this.#known) {
      const rows = this.#alike(bytes, start, layout, rowsMax);
      if (rows > 0) return { layout, start, rows };
    }
    const layout = this.#layoutAt(bytes, start);
    if (layout === undefined) return undefined;
    const rows = this.#alike(bytes, start, layout, rowsMax);
    if (rows === 0) return undefined;
    this.#known.unshift(layout);
    this.#known.splice(LAYOUTS_MAX);
    return { layout, start, rows };
  }

  #layoutAt(bytes: Uint8Array, start: number): RowLayout | undefined {
    const count = this.#columns;
    if (bytes[start] !== STRUCTURE || bytes[start + 1] !== count) return undefined;
    if (count === 0 || count > LONGEST_SHORT_LENGTH) return undefined;
    const cells: Cell[] = [];
    const fixed = [0, 1];
    let at = 2;
    for (let index = 0; index < count; index += 1) {
      const tag = bytes[start + at];
      const length = index === this.clock ? bytes[start + at + 1] : undefined;
      const cell = tag === undefined ? undefined : cellOf(tag, length, index === this.clock);
      if (cell === undefined) return undefined;
      for (let each = 0; each < cell.head; each += 1) fixed.push(at + each);
      cells.push({ type: cell.type, at: at + cell.head });
      at += cell.head + cell.bytes;
    }
    const octets = fixed.map((place) => ({ at: place, octet: bytes[start + place] ?? 0 }));
    return { stride: at, cells, fixed: octets };
  }

  #alike(bytes: Uint8Array, start: number, layout: RowLayout, rowsMax: number): number {
    const { stride, fixed, cells } = layout;
    let rows = Math.min(rowsMax, Math.floor((bytes.length - start) / stride));
    for (const { at, octet } of fixed) rows = equalFrom(bytes, start + at, stride, rows, octet);
    const clock = cells[this.clock];
    if (clock === undefined || clock.type === 'null-data') return rows;
    return withoutHundredths(bytes, start + clock.at + HUNDREDTHS_AT, stride, rows);
  }
}

/** `head` is the tag, and the length where one is told. */
function cellOf(
  tag: number,
  length: number | undefined,
  isClock: boolean,
): { type: Cell['type']; head: number; bytes: number } | undefined {
  if (tag === NULL_DATA) return { type: 'null-data', head: 1, bytes: 0 };
  if (isClock && tag === DATE_TIME) return { type: 'date-time', head: 1, bytes: DATE_TIME_BYTES };
  if (isClock && tag === OCTET_STRING && length === DATE_TIME_BYTES) {
    return { type: 'octet-string', head: 2, bytes: DATE_TIME_BYTES };
  }
  return tag in NUMBERS ? { ...NUMBERS[tag as keyof typeof NUMBERS], head: 1 } : undefined;
}

/** How many rows have `octet` there. */
function equalFrom(
  bytes: Uint8Array,
  first: number,
  stride: number,
  rows: number,
  octet: number,
): number {
  for (let row = 0, offset = first; row < rows; row += 1, offset += stride) {
    if (bytes[offset] !== octet) return row;
  }
  return rows;
}

/** How many rows have a clock that tells no hundredths: those that do are read one by one. */
function withoutHundredths(bytes: Uint8Array, first: number, stride: number, rows: number): number {
  for (let row = 0, offset = first; row < rows; row += 1, offset += stride) {
    if (hasHundredths(bytes[offset] ?? 0)) return row;
  }
  return rows;
}

/** Open is 255; nought is told by clocks that know none. */
export function hasHundredths(octet: number): boolean {
  return octet > 0 && octet <= 99;
}
