import type { Data } from '../dlms/data.ts';
import { DATE_TIME_BYTES } from '../dlms/date-time.ts';
import type { NumberType, RowLayouts, RowRun, TimeType } from './row-layout.ts';
import { HUNDREDTHS_AT, hasHundredths, isNumberType } from './row-layout.ts';
import type { LeftOut, RowSource } from './row-source.ts';
import type { TimeColumn } from './row-times.ts';
import { timeColumn } from './row-times.ts';

/** Rows of one array as columns of numbers: no object for each value. */
export interface RowColumns {
  readonly rows: number;
  readonly columns: readonly RowColumn[];
}

export type RowColumn = NumberColumn | TimeColumn;

export interface NumberColumn {
  readonly kind: 'number';
  readonly type: NumberType;
  /** As the meter told them: no type here has an integer beyond 2^53. A boolean is 0 or 1. */
  readonly raw: Float64Array;
}

/** How many rows were taken, and where the next one begins. */
export interface RowsTaken extends RowColumns {
  readonly end: number;
}

/**
 * As many rows from `start` on as hold numbers, a time and null-data only, each column in one type.
 * `undefined` where not even the first does, or is not whole: it is to be read as `Data`.
 */
export function takeRowColumns(
  bytes: Uint8Array,
  start: number,
  rowsMax: number,
  layouts: RowLayouts,
  leftOut: LeftOut,
): RowsTaken | undefined {
  const runs: RowRun[] = [];
  let types: readonly ColumnType[] | undefined;
  let end = start;
  let rows = 0;
  while (rows < rowsMax) {
    const run = layouts.runAt(bytes, end, rowsMax - rows);
    const next = run && typesWith(run, types ?? typesBefore(leftOut, layouts.clock));
    if (run === undefined || next === undefined) break;
    types = next;
    runs.push(run);
    rows += run.rows;
    end += run.rows * run.layout.stride;
  }
  if (types === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const source = { bytes, view, runs, rows, leftOut };
  return { rows, end, columns: types.map((type, index) => columnOf(source, type, index)) };
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

type ColumnType = NumberType | TimeType;

/** The types of the columns with those of the run, null-data being of the type of before. */
function typesWith(
  { layout: { cells } }: RowRun,
  before: readonly (ColumnType | undefined)[],
): readonly ColumnType[] | undefined {
  const types: ColumnType[] = [];
  for (const [index, { type }] of cells.entries()) {
    const known = before[index];
    const own = type === 'null-data' ? known : type;
    if (own === undefined || (known !== undefined && known !== own)) return undefined;
    types.push(own);
  }
  return types;
}

function typesBefore({ before }: LeftOut, clock: number): readonly (ColumnType | undefined)[] {
  return (before ?? []).map((data, index) => {
    if (index === clock) return timeTypeOf(data);
    return isNumberType(data.type) ? data.type : undefined;
  });
}

function timeTypeOf({ type, value }: Data): TimeType | undefined {
  if (type !== 'octet-string' && type !== 'date-time') return undefined;
  const isTime = value.length === DATE_TIME_BYTES && !hasHundredths(value[HUNDREDTHS_AT] ?? 0);
  return isTime ? type : undefined;
}

function columnOf(source: RowSource, type: ColumnType, index: number): RowColumn {
  return type === 'octet-string' || type === 'date-time'
    ? timeColumn(source, type, index)
    : numberColumn(source, type, index);
}

function numberColumn(source: RowSource, type: NumberType, index: number): NumberColumn {
  const { view, runs, rows, leftOut } = source;
  const raw = new Float64Array(rows);
  let first = 0;
  for (const run of runs) {
    const cell = run.layout.cells[index];
    const last = first + run.rows;
    if (cell?.type === 'null-data') {
      raw.fill(raw[first - 1] ?? Number(leftOut.before?.[index]?.value), first, last);
    } else if (cell !== undefined) {
      const { stride } = run.layout;
      readNumbers(raw, first, last, view, type, run.start + cell.at, stride);
    }
    first = last;
  }
  return { kind: 'number', type, raw };
}

function readNumbers(
  raw: Float64Array,
  first: number,
  last: number,
  view: DataView,
  type: NumberType,
  start: number,
  stride: number,
): void {
  for (let row = first, offset = start; row < last; row += 1, offset += stride) {
    raw[row] = numberAt(view, offset, type);
  }
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
