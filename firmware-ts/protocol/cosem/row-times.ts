import { DATE_TIME_BYTES, dateTimeFrom, encodeDateTime, localSecondOf } from '../dlms/date-time.ts';
import { shownAt } from './local-time.ts';
import type { TimeType } from './row-layout.ts';
import type { RowSource } from './row-source.ts';

export interface TimeColumn {
  readonly kind: 'time';
  readonly type: TimeType;
  /** As `localSecondOf`; NaN where that is undefined. */
  readonly localSeconds: Float64Array;
  /** UTC minus local time in minutes; NaN where it is open. */
  readonly deviations: Float64Array;
  /** The twelve bytes, as sent or as worked out. */
  octetsOf(row: number): Uint8Array;
}

/** Rows whose time was sent, or was left out behind one that was. */
interface Span {
  readonly last: number;
  readonly own: boolean;
  /** Of a row whose time was left out: the last that was sent. */
  readonly sentAt: (row: number) => Uint8Array;
}

const DEVIATION_AT = 9;
const OPEN_DEVIATION = -0x8000;

export function timeColumn(source: RowSource, type: TimeType, index: number): TimeColumn {
  const { runs, leftOut } = source;
  const before = leftOut.before?.[index]?.value;
  const times = new Times(source, before instanceof Uint8Array ? before : undefined);
  for (const { layout, start, rows: count } of runs) {
    const cell = layout.cells[index];
    if (cell === undefined || cell.type === 'null-data') times.leaveOut(count, leftOut.periodS);
    else times.read(count, start + cell.at, layout.stride);
  }
  return { kind: 'time', type, ...times.found };
}

class Times {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #localSeconds: Float64Array;
  readonly #deviations: Float64Array;
  readonly #spans: Span[] = [];
  #sent: Uint8Array | undefined;
  #row = 0;

  constructor({ bytes, view, rows }: RowSource, before: Uint8Array | undefined) {
    this.#bytes = bytes;
    this.#view = view;
    this.#localSeconds = new Float64Array(rows);
    this.#deviations = new Float64Array(rows);
    this.#sent = before;
  }

  get found(): Omit<TimeColumn, 'kind' | 'type'> {
    const [localSeconds, deviations, spans] = [this.#localSeconds, this.#deviations, this.#spans];
    const octetsOf = (row: number): Uint8Array => {
      const span = spans.find(({ last }) => row < last);
      const sent = span?.sentAt(row) ?? new Uint8Array(0);
      return span?.own === true ? sent : laterThan(sent, localSeconds[row] ?? NaN);
    };
    return { localSeconds, deviations, octetsOf };
  }

  /** Each a period after the one before. */
  leaveOut(count: number, periodS: number): void {
    const sent = this.#sent;
    if (sent === undefined) return;
    const shown = dateTimeFrom(sent);
    const before = this.#row > 0 ? this.#localSeconds[this.#row - 1] : localSecondOf(shown);
    const last = this.#row + count;
    for (let row = this.#row, second = before ?? NaN; row < last; row += 1) {
      second += periodS;
      this.#localSeconds[row] = second;
    }
    this.#deviations.fill(shown.deviation ?? NaN, this.#row, last);
    this.#spans.push({ last, own: false, sentAt: () => sent });
    this.#row = last;
  }

  /** Rows of one day share its date. */
  read(count: number, start: number, stride: number): void {
    const view = this.#view;
    const localSeconds = this.#localSeconds;
    const deviations = this.#deviations;
    const first = this.#row;
    const last = first + count;
    let date = -1;
    let midnight = NaN;
    for (let row = first, offset = start; row < last; row += 1, offset += stride) {
      if (view.getUint32(offset) !== date) {
        date = view.getUint32(offset);
        midnight = midnightOf(octetsAt(this.#bytes, offset));
      }
      localSeconds[row] = midnight + secondOfDay(view, offset);
      const deviation = view.getInt16(offset + DEVIATION_AT);
      deviations[row] = deviation === OPEN_DEVIATION ? NaN : deviation;
    }
    const bytes = this.#bytes;
    const sentAt = (row: number): Uint8Array => octetsAt(bytes, start + (row - first) * stride);
    this.#spans.push({ last, own: true, sentAt });
    this.#sent = sentAt(last - 1);
    this.#row = last;
  }
}

function octetsAt(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.subarray(offset, offset + DATE_TIME_BYTES);
}

/** With another date and time; the deviation and the status stay. */
function laterThan(sent: Uint8Array, localSecond: number): Uint8Array {
  const shown = dateTimeFrom(sent);
  return encodeDateTime(Number.isNaN(localSecond) ? shown : { ...shown, ...shownAt(localSecond) });
}

function midnightOf(octets: Uint8Array): number {
  return localSecondOf({ ...dateTimeFrom(octets), hour: 0, minute: 0, second: 0 }) ?? NaN;
}

function secondOfDay(view: DataView, offset: number): number {
  const hour = view.getUint8(offset + 5);
  const minute = view.getUint8(offset + 6);
  const second = view.getUint8(offset + 7);
  return hour > 23 || minute > 59 || second > 59 ? NaN : hour * 3600 + minute * 60 + second;
}
