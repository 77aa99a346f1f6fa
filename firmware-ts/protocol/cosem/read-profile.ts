import { OperatingError, errorOf } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import type { CosemDateTime } from '../dlms/date-time.ts';
import { DATE_TIME_BYTES, dateTimeFrom, encodeDateTime, localSecondOf } from '../dlms/date-time.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { get, tell } from '../dlms/procedure.ts';
import { RowReader } from '../dlms/rows.ts';
import { captureObjectsFrom } from '../dlms/selective-access.ts';
import type { AttributeReference, CaptureObject, SelectiveAccess } from '../dlms/service.ts';
import { addSeconds } from './local-time.ts';

const PROFILE_GENERIC = 7;
const BUFFER = 2;
const CAPTURE_OBJECTS = 3;
const CAPTURE_PERIOD = 4;
const CLOCK = 8;

/** Which part of a profile is wanted. */
export type ProfilePart =
  | { readonly kind: 'all' }
  /** By the clock column, ends included; the deviation is left open, as most meters want it. */
  | { readonly kind: 'range'; readonly from: CosemDateTime; readonly to: CosemDateTime }
  | { readonly kind: 'entry'; readonly fromEntry: number; readonly toEntry: number };

export interface ProfileRequest {
  readonly logicalName: Uint8Array;
  readonly part: ProfilePart;
  /** Known from before, so that they are not read again. */
  readonly columns?: readonly CaptureObject[];
  readonly capturePeriodS?: number;
  /** What is already stored: rows up to there are passed over. */
  readonly after?: ProfilePlace;
}

/** Where a reading stopped. Event logs have several rows of one time. */
export interface ProfilePlace {
  /** The clock of the last row, 12 bytes. */
  readonly time: Uint8Array;
  /** How many rows with this clock are stored. */
  readonly rows: number;
}

export interface ProfileLayout {
  readonly columns: readonly CaptureObject[];
  readonly capturePeriodS: number;
}

export type ProfileTold =
  | ({ readonly kind: 'columns' } & ProfileLayout)
  | { readonly kind: 'row'; readonly row: ProfileRow };

export interface ProfileRow {
  /** One for each column, with what the meter left out put back. */
  readonly values: readonly Data[];
  /** The clock column, 12 bytes as sent or as worked out. */
  readonly time?: Uint8Array;
}

export interface ProfileEnd {
  /** Rows told, and rows passed over because they were stored before. */
  readonly rows: number;
  readonly passed: number;
}

/**
 * Reads a profile row by row (IEC 62056-6-2, 4.3.6), in the memory of one row. To go on after a
 * cut, run it again with `after`. Errors: those of the services, `unexpected-type`, `truncated`,
 * `bad-row` when a row has not as many values as there are columns.
 */
export function* readProfile(request: ProfileRequest): Procedure<ProfileEnd, ProfileTold> {
  const columns = request.columns ?? captureObjectsFrom(yield* get(part(request, CAPTURE_OBJECTS)));
  const capturePeriodS = request.capturePeriodS ?? (yield* readPeriod(request));
  yield* tell<ProfileTold>({ kind: 'columns', columns, capturePeriodS });
  const rows = new Rows(columns, capturePeriodS, request.after);
  const buffer = { ...part(request, BUFFER), ...selected(request.part, columns) };
  const reader = new RowReader();
  for (let last = false, first = true; !last; first = false) {
    const piece = yield* pieceOf(buffer, first);
    last = piece.last;
    for (const data of reader.push(piece.bytes)) yield* rows.take(data);
  }
  for (const data of reader.end()) yield* rows.take(data);
  return rows.end;
}

/** What the columns are, and how far apart the rows; errors: those of `get`. */
export function* readProfileLayout(logicalName: Uint8Array): Procedure<ProfileLayout> {
  const asked = { logicalName };
  const columns = captureObjectsFrom(yield* get(part(asked, CAPTURE_OBJECTS)));
  return { columns, capturePeriodS: yield* readPeriod(asked) };
}

function part(
  { logicalName }: Pick<ProfileRequest, 'logicalName'>,
  attributeId: number,
): AttributeReference {
  return { classId: PROFILE_GENERIC, instanceId: logicalName, attributeId };
}

function* readPeriod(request: Pick<ProfileRequest, 'logicalName'>): Procedure<number> {
  const period = yield* get(part(request, CAPTURE_PERIOD));
  return typeof period.value === 'number' ? period.value : 0;
}

function selected(
  wanted: ProfilePart,
  columns: readonly CaptureObject[],
): { readonly access?: SelectiveAccess } {
  switch (wanted.kind) {
    case 'all':
      return {};
    case 'entry': {
      const { fromEntry, toEntry } = wanted;
      return { access: { kind: 'entry', fromEntry, toEntry, fromColumn: 1, toColumn: 0 } };
    }
    case 'range': {
      const restricting = columns.find(isClock) ?? CLOCK_TIME;
      const [from, to] = [wanted.from, wanted.to].map(octets);
      if (from === undefined || to === undefined) return {};
      return { access: { kind: 'range', restricting, from, to, columns: [] } };
    }
  }
}

const CLOCK_TIME: CaptureObject = {
  classId: CLOCK,
  instanceId: Uint8Array.of(0, 0, 1, 0, 0, 255),
  attributeId: 2,
  dataIndex: 0,
};

function isClock({ classId, attributeId }: CaptureObject): boolean {
  return classId === CLOCK && attributeId === 2;
}

function octets(dateTime: CosemDateTime): Data {
  return { type: 'octet-string', value: encodeDateTime(dateTime) };
}

function* pieceOf(
  attribute: AttributeReference,
  first: boolean,
): Procedure<{ readonly bytes: Uint8Array; readonly last: boolean }> {
  const request = first ? ({ kind: 'get-pieces', attribute } as const) : NEXT_PIECE;
  const answer = yield { kind: 'ask', request };
  if (answer?.kind === 'piece') return answer;
  const [result] = answer?.results ?? [];
  if (result?.kind !== 'refused') {
    throw new OperatingError('unexpected-answer', 'a piece of a profile was asked for');
  }
  throw errorOf(result.failure);
}

const NEXT_PIECE = { kind: 'next-piece' } as const;

/** Puts back what meters leave out: null-data says "as before", of the clock "a period later". */
class Rows {
  readonly #columns: readonly CaptureObject[];
  readonly #periodS: number;
  readonly #after: ProfilePlace | undefined;
  #before: ProfileRow | undefined;
  #sameTime = 0;
  #rows = 0;
  #passed = 0;

  constructor(columns: readonly CaptureObject[], periodS: number, after?: ProfilePlace) {
    this.#columns = columns;
    this.#periodS = periodS;
    this.#after = after;
  }

  get end(): ProfileEnd {
    return { rows: this.#rows, passed: this.#passed };
  }

  *take(data: Data): Procedure<void, ProfileTold> {
    const row = this.#completed(data);
    this.#before = row;
    if (this.#stored(row.time)) {
      this.#passed += 1;
      return;
    }
    this.#rows += 1;
    yield* tell<ProfileTold>({ kind: 'row', row });
  }

  #stored(time: Uint8Array | undefined): boolean {
    if (time === undefined || this.#after === undefined) return false;
    const later = orderOf(time) - orderOf(this.#after.time);
    if (later !== 0) return later < 0;
    this.#sameTime += 1;
    return this.#sameTime <= this.#after.rows;
  }

  #completed(data: Data): ProfileRow {
    const sent = data.type === 'structure' ? data.value : [];
    if (sent.length !== this.#columns.length) {
      const message = `${sent.length} values in ${this.#columns.length} columns`;
      throw new OperatingError('bad-row', message, { field: 'buffer' });
    }
    const values = sent.map((value, index) => this.#value(value, index));
    const time = values[this.#columns.findIndex(isClock)];
    const bytes = time?.type === 'octet-string' || time?.type === 'date-time' ? time.value : [];
    return bytes instanceof Uint8Array && bytes.length === DATE_TIME_BYTES
      ? { values, time: bytes }
      : { values };
  }

  #value(value: Data, index: number): Data {
    const before = this.#before?.values[index];
    if (value.type !== 'null-data' || before === undefined) return value;
    const column = this.#columns[index];
    const time = this.#before?.time;
    if (column === undefined || !isClock(column) || time === undefined) return before;
    const next = addSeconds(dateTimeFrom(time), this.#periodS);
    return { type: 'octet-string', value: encodeDateTime(next) };
  }
}

const SUMMER_MIN = -60;

/**
 * A number that grows with time, also through the hour that is shown twice: by the deviation, or
 * where that is open by the summer time of the status.
 */
function orderOf(time: Uint8Array): number {
  const dateTime = dateTimeFrom(time);
  const summer = dateTime.clockStatus?.daylightSaving === true ? SUMMER_MIN : 0;
  const deviation = dateTime.deviation ?? summer;
  return (localSecondOf(dateTime) ?? 0) + deviation * 60 + (dateTime.hundredths ?? 0) / 100;
}
