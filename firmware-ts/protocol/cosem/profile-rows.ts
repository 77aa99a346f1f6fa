import { OperatingError } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, encodeDateTime } from '../dlms/date-time.ts';
import type { ElementSink } from '../dlms/rows.ts';
import { RowReader } from '../dlms/rows.ts';
import type { CaptureObject } from '../dlms/service.ts';
import { addSeconds } from './local-time.ts';
import type { RowColumn, RowColumns } from './row-columns.ts';
import { takeRowColumns } from './row-columns.ts';
import { RowLayouts } from './row-layout.ts';

export interface ProfileRow {
  /** One for each column, with what the meter left out put back. */
  readonly values: readonly Data[];
  /** The clock column, 12 bytes as sent or as worked out. */
  readonly time?: Uint8Array;
}

/** Rows that came together. */
export interface ProfileRows {
  readonly count: number;
  readonly row: (index: number) => ProfileRow;
  /** The same as numbers, where the rows hold nothing else. */
  readonly columns?: RowColumns;
}

const CLOCK = 8;
const TIME = 2;

export function isClock({ classId, attributeId }: CaptureObject): boolean {
  return classId === CLOCK && attributeId === TIME;
}

/**
 * Reads the rows of a profile while its bytes arrive: as columns of numbers where they hold nothing
 * else, one by one where they do. Puts back what meters leave out: null-data says "as before", of
 * the clock "a period later" (IEC 62056-6-2, 4.3.6).
 */
export class ProfileRowReader {
  readonly #reader = new RowReader();
  readonly #columns: readonly CaptureObject[];
  readonly #clock: number;
  readonly #layouts: RowLayouts;
  readonly #periodS: number;
  #before: ProfileRow | undefined;
  #found: ProfileRows[] = [];

  constructor(columns: readonly CaptureObject[], periodS: number) {
    this.#columns = columns;
    this.#clock = columns.findIndex(isClock);
    this.#layouts = new RowLayouts(columns.length, this.#clock);
    this.#periodS = periodS;
  }

  /** Errors: those of `RowReader.push`; `bad-row` where a row has not a value for each column. */
  push(bytes: Uint8Array): readonly ProfileRows[] {
    this.#reader.push(bytes, this.#sink);
    return this.#taken();
  }

  /** No more bytes come. Errors: `truncated`, `bad-row`. */
  end(): readonly ProfileRows[] {
    this.#reader.end(this.#sink);
    return this.#taken();
  }

  readonly #sink: ElementSink = {
    element: (data) => {
      const row = this.#completed(data);
      this.#before = row;
      this.#found.push({ count: 1, row: () => row });
    },
    together: (bytes, start, most) => {
      const leftOut = { periodS: this.#periodS, before: this.#before?.values };
      const taken = takeRowColumns(bytes, start, most, this.#layouts, leftOut);
      if (taken === undefined) return undefined;
      const rows = rowsOf(taken, this.#clock);
      this.#before = rows.row(rows.count - 1);
      this.#found.push(rows);
      return taken;
    },
  };

  #taken(): readonly ProfileRows[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #completed(data: Data): ProfileRow {
    const sent = data.type === 'structure' ? data.value : [];
    if (sent.length !== this.#columns.length) {
      const message = `${sent.length} values in ${this.#columns.length} columns`;
      throw new OperatingError('bad-row', message, { field: 'buffer' });
    }
    return rowOf(
      sent.map((value, index) => this.#value(value, index)),
      this.#clock,
    );
  }

  #value(value: Data, index: number): Data {
    const before = this.#before?.values[index];
    if (value.type !== 'null-data' || before === undefined) return value;
    const time = this.#before?.time;
    if (index !== this.#clock || time === undefined) return before;
    const next = addSeconds(dateTimeFrom(time), this.#periodS);
    return { type: timeTypeOf(before), value: encodeDateTime(next) };
  }
}

function timeTypeOf({ type }: Data): 'octet-string' | 'date-time' {
  return type === 'date-time' ? type : 'octet-string';
}

function rowOf(values: readonly Data[], clock: number): ProfileRow {
  const time = values[clock];
  const isTime = time?.type === 'octet-string' || time?.type === 'date-time';
  return isTime && time.value.length === DATE_TIME_BYTES
    ? { values, time: time.value }
    : { values };
}

function rowsOf(columns: RowColumns, clock: number): ProfileRows {
  const row = (index: number): ProfileRow =>
    rowOf(
      columns.columns.map((column) => dataOf(column, index)),
      clock,
    );
  return { count: columns.rows, row, columns };
}

function dataOf(column: RowColumn, index: number): Data {
  if (column.kind === 'time') return { type: column.type, value: column.octetsOf(index) };
  const value = column.raw[index] ?? NaN;
  return column.type === 'boolean'
    ? { type: 'boolean', value: value !== 0 }
    : { type: column.type, value };
}
