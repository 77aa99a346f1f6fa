import type { RefusedObjects } from '#acquisition/asked-meter.ts';
import { localTimeOf } from '#acquisition/meter-local-time.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError, errorOf } from '#bytes/failure.ts';
import { KnownScalers } from '#protocol/cosem/known-scalers.ts';
import { shownAt } from '#protocol/cosem/local-time.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import type { ProfileRow, ProfileRows } from '#protocol/cosem/profile-rows.ts';
import type { ProfileLayout, ProfilePart, ProfilePlace } from '#protocol/cosem/read-profile.ts';
import { readProfile, readProfileLayout } from '#protocol/cosem/read-profile.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import { ask } from '#protocol/dlms/procedure.ts';
import type { CaptureObject, ServiceResult } from '#protocol/dlms/service.ts';
import { observationFromRow, placeOf } from '#reading/from-profile.ts';
import type { ProfileColumn } from '#reading/from-profile.ts';
import type { Observation } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import type { TimeZone } from '#system/time-zone.ts';

/** Reads what is due over an open session; what came is durable before more is asked for. */
export type MeterReader = (
  session: MeterSession,
  keep: (observations: readonly Observation[]) => Promise<void>,
  told: (objects: RefusedObjects) => void,
) => Promise<void>;

export interface MeterReaderOptions {
  readonly source: string;
  readonly clock: Pick<Clock, 'wall'>;
  /** Of the meter, where its clock does not tell how it stands to UTC. */
  readonly zone?: TimeZone | undefined;
}

interface ProfileReaderOptions extends MeterReaderOptions {
  /** What is kept of this source, as far as it has the time of the last. */
  readonly newest: () => Promise<readonly Observation[]>;
}

/**
 * Reads a profile on behind the last row that is in the store, so that nothing else has to be
 * remembered. Columns and scalers are asked for once, and anew where another meter or another
 * firmware answers. Errors: those of the session, the services and `keep`; `bad-row` where rows
 * have no clock.
 */
export function profileReader(object: string, options: ProfileReaderOptions): MeterReader {
  const logicalName = obisFrom(object);
  const scalers = new KnownScalers();
  let layout: ProfileLayout | undefined;
  return async (session, keep) => {
    const after = placeOf(await options.newest());
    const same = await session.run(scalers.recognise());
    if (!same) layout = undefined;
    const { capturePeriodS } = (layout ??= await session.run(readProfileLayout(logicalName)));
    const columns = await scaled(layout.columns, scalers, session);
    const local = localTimeOf(options.zone, scalers.deviceName);
    const observationOf = (row: ProfileRow): Observation => {
      if (row.time === undefined) throw noClock();
      const { source, clock } = options;
      const { unverified } = session;
      return observationFromRow(source, columns, row, clock.wall(), { ...local, unverified });
    };
    const place = after === undefined ? {} : { after };
    const request = { logicalName, part: partAfter(after), columns, capturePeriodS, ...place };
    await session.run(readProfile(request), (told) =>
      told.kind === 'rows' ? keptTogether(told.rows, observationOf, keep) : undefined,
    );
  };
}

/** A transaction for so many rows of a block: some hundred kilobytes. */
const ROWS_TOGETHER_MAX = 256;

/** Each transaction is durable before the next, so that a row that is missing is the last. */
async function keptTogether(
  rows: ProfileRows,
  observationOf: (row: ProfileRow) => Observation,
  keep: (observations: readonly Observation[]) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < rows.count; first += ROWS_TOGETHER_MAX) {
    const count = Math.min(ROWS_TOGETHER_MAX, rows.count - first);
    const indices = Array.from({ length: count }, (_, index) => first + index);
    await keep(indices.map((index) => observationOf(rows.row(index))));
  }
}

async function scaled(
  columns: readonly CaptureObject[],
  known: KnownScalers,
  session: MeterSession,
): Promise<readonly ProfileColumn[]> {
  const scalers = await session.run(known.readScalers(columns));
  return columns.map((column, index) => {
    const one = scalers[index];
    return one === undefined ? column : { ...column, scaled: one };
  });
}

/** No meter keeps more behind one row than a year, and the end need not have come yet. */
const RANGE_S = 366 * 86_400;
/** In the hour that is shown twice the meter may take either for the beginning. */
const OVERLAP_S = 3600;

function partAfter(after: ProfilePlace | undefined): ProfilePart {
  if (after === undefined) return { kind: 'all' };
  const second = localSecondOf(dateTimeFrom(after.time));
  if (second === undefined) return { kind: 'all' };
  return { kind: 'range', from: shownAt(second - OVERLAP_S), to: shownAt(second + RANGE_S) };
}

function noClock(): OperatingError {
  return new OperatingError('bad-row', 'the rows of this profile have no clock', {
    hint: 'read its registers instead, or another profile',
  });
}

const CLOCK: CaptureObject = {
  classId: 8,
  instanceId: obisFrom('0-0:1.0.0'),
  attributeId: 2,
  dataIndex: 0,
};
const REGISTER = 3;
const NOTHING: Data = { type: 'null-data', value: null };

/**
 * Reads registers together with the clock, whose time they get. What the meter refuses is told and
 * left out. Errors: those of the session and `keep`; a refusal where it refuses all.
 */
export function registerReader(
  objects: readonly string[],
  { source, clock, zone }: MeterReaderOptions,
): MeterReader {
  const registers = objects.map((object) => ({
    classId: REGISTER,
    instanceId: obisFrom(object),
    attributeId: 2,
    dataIndex: 0,
  }));
  const scalers = new KnownScalers();
  return async (session, keep, told) => {
    await session.run(scalers.recognise());
    const columns = [CLOCK, ...(await scaled(registers, scalers, session))];
    const results = await session.run(ask({ kind: 'get', attributes: columns }));
    const values = results.map((one) => (one.kind === 'done' ? (one.data ?? NOTHING) : NOTHING));
    const refused = refusedOf(columns, results);
    told(refused);
    const refusal = [...refused.values()].at(-1);
    if (refusal !== undefined && values.slice(1).every((value) => value === NOTHING)) {
      throw errorOf(refusal);
    }
    const { unverified } = session;
    const local = { ...localTimeOf(zone, scalers.deviceName), unverified };
    await keep([observationFromRow(source, columns, rowOf(values), clock.wall(), local)]);
  };
}

function refusedOf(
  columns: readonly ProfileColumn[],
  results: readonly ServiceResult[],
): RefusedObjects {
  return new Map(
    results.flatMap((result, index) => {
      const column = columns[index];
      if (result.kind !== 'refused' || column === undefined) return [];
      return [[obisText(column.instanceId), result.failure] as const];
    }),
  );
}

function rowOf(values: readonly Data[]): ProfileRow {
  const [clock] = values;
  const time = clock?.type === 'octet-string' || clock?.type === 'date-time' ? clock.value : [];
  return time instanceof Uint8Array && time.length === DATE_TIME_BYTES
    ? { values, time }
    : { values };
}
