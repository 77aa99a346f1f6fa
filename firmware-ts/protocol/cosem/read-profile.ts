import { OperatingError, errorOf } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import type { CosemDateTime } from '../dlms/date-time.ts';
import { dateTimeFrom, encodeDateTime, localSecondOf } from '../dlms/date-time.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { get, tell } from '../dlms/procedure.ts';
import { captureObjectsFrom } from '../dlms/selective-access.ts';
import type { AttributeReference, CaptureObject, SelectiveAccess } from '../dlms/service.ts';
import type { ProfileRows } from './profile-rows.ts';
import { ProfileRowReader, isClock } from './profile-rows.ts';

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
  | { readonly kind: 'rows'; readonly rows: ProfileRows };

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
  const progress = new Progress(request.after);
  const buffer = { ...part(request, BUFFER), ...selected(request.part, columns) };
  const reader = new ProfileRowReader(columns, capturePeriodS);
  for (let last = false, first = true; !last; first = false) {
    const piece = yield* pieceOf(buffer, first);
    last = piece.last;
    for (const rows of reader.push(piece.bytes)) yield* progress.take(rows);
  }
  for (const rows of reader.end()) yield* progress.take(rows);
  return progress.end;
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

/** Passes over what is stored, and tells the rest. */
class Progress {
  readonly #after: ProfilePlace | undefined;
  #sameTime = 0;
  #rows = 0;
  #passed = 0;

  constructor(after: ProfilePlace | undefined) {
    this.#after = after;
  }

  get end(): ProfileEnd {
    return { rows: this.#rows, passed: this.#passed };
  }

  *take(rows: ProfileRows): Procedure<void, ProfileTold> {
    for (let first = 0; first < rows.count;) {
      const last = this.#lastNew(rows, first);
      if (last > first) yield* tell<ProfileTold>({ kind: 'rows', rows: partOf(rows, first, last) });
      this.#rows += last - first;
      if (last < rows.count) this.#passed += 1;
      first = last + 1;
    }
  }

  /** From `first` on: where the first row is that is stored. */
  #lastNew(rows: ProfileRows, first: number): number {
    if (this.#after === undefined) return rows.count;
    for (let index = first; index < rows.count; index += 1) {
      if (this.#isStored(rows.row(index).time, this.#after)) return index;
    }
    return rows.count;
  }

  #isStored(time: Uint8Array | undefined, after: ProfilePlace): boolean {
    if (time === undefined) return false;
    const later = orderOf(time) - orderOf(after.time);
    if (later !== 0) return later < 0;
    this.#sameTime += 1;
    return this.#sameTime <= after.rows;
  }
}

function partOf(rows: ProfileRows, first: number, last: number): ProfileRows {
  if (first === 0 && last === rows.count) return rows;
  return { count: last - first, row: (index) => rows.row(first + index) };
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
