import { Reader } from '#bytes/cursor.ts';
import type { DataType } from './data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, localSecondOf } from './date-time.ts';
import { readLength } from './length.ts';

/** Rows of one array as columns of numbers: no object for each value. */
export interface RowColumns {
  readonly rows: number;
  readonly columns: readonly RowColumn[];
}

export type RowColumn = NumberColumn | TimeColumn;

export interface NumberColumn {
  readonly kind: 'number';
  readonly type: DataType;
  /** As the meter told them: no type here has an integer beyond 2^53. A boolean is 0 or 1. */
  readonly raw: Float64Array;
}

export interface TimeColumn {
  readonly kind: 'time';
  /** As `localSecondOf`; NaN where that is undefined. */
  readonly localSeconds: Float64Array;
  /** UTC minus local time in minutes; NaN where it is open. */
  readonly deviations: Float64Array;
  /** clock_status; 255 where it is open. */
  readonly statuses: Uint8Array;
}

/** A value in each row: its first byte counted from the row's. */
interface Cell {
  readonly type: NumberType | 'time';
  readonly at: number;
}

interface Layout {
  readonly start: number;
  readonly rows: number;
  /** Bytes of a row. */
  readonly stride: number;
  readonly cells: readonly Cell[];
  /** Where in a row tags and lengths stand: in rows that are alike they are the same. */
  readonly fixed: readonly number[];
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

type NumberType = (typeof NUMBERS)[keyof typeof NUMBERS]['type'];

const ARRAY = 1;
const STRUCTURE = 2;
const OCTET_STRING = 9;
const DATE_TIME = 25;

/**
 * The whole of an array (A-XDR) whose rows are structures of numbers and times, all laid out as the
 * first: as a load profile is. `clocks` has the columns, from 0, whose octet-strings are times.
 * `undefined` for everything else, faulty bytes too: `decodeData` takes it, or says what is wrong.
 */
export function readRowColumns(
  bytes: Uint8Array,
  clocks: ReadonlySet<number>,
): RowColumns | undefined {
  const layout = layoutOf(bytes, clocks);
  if (layout === undefined || !rowsAreAlike(bytes, layout)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const columns = layout.cells.map((cell) =>
    cell.type === 'time' ? timeColumn(view, layout, cell) : numberColumn(view, layout, cell),
  );
  if (columns.some((column) => column === undefined)) return undefined;
  return { rows: layout.rows, columns: columns.filter((column) => column !== undefined) };
}

/**
 * Values times ten to the power of `scaler`: of an integer the number next to the decimal one, for
 * scalers from -22 to 22, whose powers a number holds exactly.
 */
export function scaledColumn({ raw }: NumberColumn, scaler: number): Float64Array {
  const power = 10 ** Math.abs(scaler);
  const scaled = new Float64Array(raw.length);
  for (let row = 0; row < raw.length; row += 1) {
    const value = raw[row] ?? NaN;
    scaled[row] = scaler < 0 ? value / power : value * power;
  }
  return scaled;
}

const LONGEST_HEAD = 6;

function layoutOf(bytes: Uint8Array, clocks: ReadonlySet<number>): Layout | undefined {
  if (bytes[0] !== ARRAY || bytes.length < LONGEST_HEAD) return undefined;
  const reader = new Reader(bytes, 1);
  if ((reader.peek() ?? 0) > 0x84) return undefined;
  const rows = readLength(reader, 'count');
  const start = reader.offset;
  const row = rowLayout(bytes, start, clocks);
  if (row === undefined || rows * row.stride !== bytes.length - start) return undefined;
  return { start, rows, ...row };
}

function rowLayout(
  bytes: Uint8Array,
  start: number,
  clocks: ReadonlySet<number>,
): Pick<Layout, 'stride' | 'cells' | 'fixed'> | undefined {
  const count = bytes[start + 1] ?? 0;
  if (bytes[start] !== STRUCTURE || count === 0 || count > 0x7f) return undefined;
  const cells: Cell[] = [];
  const fixed = [0, 1];
  let at = 2;
  for (let index = 0; index < count; index += 1) {
    const tag = bytes[start + at] ?? 0;
    const cell = cellOf(tag, clocks.has(index) ? bytes[start + at + 1] : undefined);
    if (cell === undefined) return undefined;
    for (let each = 0; each < cell.head; each += 1) fixed.push(at + each);
    cells.push({ type: cell.type, at: at + cell.head });
    at += cell.head + cell.bytes;
  }
  return { stride: at, cells, fixed };
}

/** `head` is the tag, and the length where one is told. */
function cellOf(
  tag: number,
  length: number | undefined,
): { type: Cell['type']; head: number; bytes: number } | undefined {
  if (tag === DATE_TIME) return { type: 'time', head: 1, bytes: DATE_TIME_BYTES };
  if (tag === OCTET_STRING && length === DATE_TIME_BYTES) {
    return { type: 'time', head: 2, bytes: DATE_TIME_BYTES };
  }
  return tag in NUMBERS ? { ...NUMBERS[tag as keyof typeof NUMBERS], head: 1 } : undefined;
}

function rowsAreAlike(bytes: Uint8Array, { start, stride, fixed }: Layout): boolean {
  for (const at of fixed) {
    const wanted = bytes[start + at];
    for (let offset = start + at; offset < bytes.length; offset += stride) {
      if (bytes[offset] !== wanted) return false;
    }
  }
  return true;
}

function numberColumn(
  view: DataView,
  { start, rows, stride }: Layout,
  { type, at }: Cell,
): NumberColumn | undefined {
  if (type === 'time') return undefined;
  const raw = new Float64Array(rows);
  for (let row = 0, offset = start + at; row < rows; row += 1, offset += stride) {
    raw[row] = numberAt(view, offset, type);
  }
  return { kind: 'number', type, raw };
}

function numberAt(view: DataView, offset: number, type: NumberType): number {
  switch (type) {
    case 'double-long-unsigned':
      return view.getUint32(offset);
    case 'double-long':
      return view.getInt32(offset);
    case 'long-unsigned':
      return view.getUint16(offset);
    case 'long':
      return view.getInt16(offset);
    case 'integer':
      return view.getInt8(offset);
    case 'unsigned':
    case 'enum':
      return view.getUint8(offset);
    case 'boolean':
      return view.getUint8(offset) === 0 ? 0 : 1;
    case 'float32':
      return view.getFloat32(offset);
    case 'float64':
      return view.getFloat64(offset);
  }
}

const HUNDREDTHS_AT = 8;
const DEVIATION_AT = 9;
const STATUS_AT = 11;
const OPEN_DEVIATION = -0x8000;

/** Rows of one day share its date. Not for clocks that tell hundredths: those stay with `Data`. */
function timeColumn(
  view: DataView,
  { start, rows, stride }: Layout,
  { at }: Cell,
): TimeColumn | undefined {
  const localSeconds = new Float64Array(rows);
  const deviations = new Float64Array(rows);
  const statuses = new Uint8Array(rows);
  let date = -1;
  let midnight = NaN;
  for (let row = 0, offset = start + at; row < rows; row += 1, offset += stride) {
    const hundredths = view.getUint8(offset + HUNDREDTHS_AT);
    if (hundredths > 0 && hundredths <= 99) return undefined;
    if (view.getUint32(offset) !== date) {
      date = view.getUint32(offset);
      midnight = midnightOf(view, offset);
    }
    localSeconds[row] = midnight + secondOfDay(view, offset);
    const deviation = view.getInt16(offset + DEVIATION_AT);
    deviations[row] = deviation === OPEN_DEVIATION ? NaN : deviation;
    statuses[row] = view.getUint8(offset + STATUS_AT);
  }
  return { kind: 'time', localSeconds, deviations, statuses };
}

function midnightOf(view: DataView, offset: number): number {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, DATE_TIME_BYTES);
  const date = dateTimeFrom(bytes);
  return localSecondOf({ ...date, hour: 0, minute: 0, second: 0 }) ?? NaN;
}

function secondOfDay(view: DataView, offset: number): number {
  const hour = view.getUint8(offset + 5);
  const minute = view.getUint8(offset + 6);
  const second = view.getUint8(offset + 7);
  return hour > 23 || minute > 59 || second > 59 ? NaN : hour * 3600 + minute * 60 + second;
}
