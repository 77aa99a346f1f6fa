import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError, errorOf } from '#bytes/failure.ts';
import { shownAt } from '#protocol/cosem/local-time.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { ProfilePart, ProfilePlace, ProfileRow } from '#protocol/cosem/read-profile.ts';
import { readProfile, readProfileLayout } from '#protocol/cosem/read-profile.ts';
import { readScalers } from '#protocol/cosem/read-scalers.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import { ask } from '#protocol/dlms/procedure.ts';
import type { CaptureObject } from '#protocol/dlms/service.ts';
import type { FromCosemOptions } from '#reading/from-cosem.ts';
import { observationFromRow, placeOf } from '#reading/from-profile.ts';
import type { ProfileColumn } from '#reading/from-profile.ts';
import type { Observation } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';

/** Reads what is due over an open session; each observation is durable before the next. */
export type MeterReader = (
  session: MeterSession,
  keep: (observation: Observation) => Promise<void>,
) => Promise<void>;

export interface MeterReaderOptions {
  readonly source: string;
  readonly clock: Pick<Clock, 'wall'>;
  readonly local: FromCosemOptions;
}

interface ProfileReaderOptions extends MeterReaderOptions {
  /** What is kept of this source, as far as it has the time of the last. */
  readonly newest: () => Promise<readonly Observation[]>;
}

/**
 * Reads a profile on behind the last row that is in the store, so that nothing else has to be
 * remembered; columns and scalers are asked for once. Errors: those of the session, the services
 * and `keep`; `bad-row` where rows have no clock.
 */
export function profileReader(object: string, options: ProfileReaderOptions): MeterReader {
  const logicalName = obisFrom(object);
  let layout: { columns: readonly ProfileColumn[]; capturePeriodS: number } | undefined;
  return async (session, keep) => {
    const after = placeOf(await options.newest());
    const { columns, capturePeriodS } = (layout ??= await layoutOf(logicalName, session));
    const keepRow = (row: ProfileRow): Promise<void> => {
      if (row.time === undefined) throw noClock();
      const { source, clock, local } = options;
      const { unverified } = session;
      const read = observationFromRow(source, columns, row, clock.wall(), { ...local, unverified });
      return keep(read);
    };
    const place = after === undefined ? {} : { after };
    const request = { logicalName, part: partAfter(after), columns, capturePeriodS, ...place };
    await session.run(readProfile(request), (told) =>
      told.kind === 'row' ? keepRow(told.row) : undefined,
    );
  };
}

async function layoutOf(logicalName: Uint8Array, session: MeterSession) {
  const { columns, capturePeriodS } = await session.run(readProfileLayout(logicalName));
  return { columns: await scaled(columns, session), capturePeriodS };
}

async function scaled(
  columns: readonly CaptureObject[],
  session: MeterSession,
): Promise<readonly ProfileColumn[]> {
  const scalers = await session.run(readScalers(columns));
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
 * Reads registers together with the clock, whose time they get. What the meter refuses is left
 * out. Errors: those of the session and `keep`; a refusal where it refuses all.
 */
export function registerReader(
  objects: readonly string[],
  { source, clock, local }: MeterReaderOptions,
): MeterReader {
  const registers = objects.map((object) => ({
    classId: REGISTER,
    instanceId: obisFrom(object),
    attributeId: 2,
    dataIndex: 0,
  }));
  let columns: readonly ProfileColumn[] | undefined;
  return async (session, keep) => {
    columns ??= [CLOCK, ...(await scaled(registers, session))];
    const results = await session.run(ask({ kind: 'get', attributes: columns }));
    const values = results.map((one) => (one.kind === 'done' ? (one.data ?? NOTHING) : NOTHING));
    const refusal = results.find((result, index) => index > 0 && result.kind === 'refused');
    if (refusal?.kind === 'refused' && values.slice(1).every((value) => value === NOTHING)) {
      throw errorOf(refusal.failure);
    }
    const { unverified } = session;
    const row = rowOf(values);
    await keep(observationFromRow(source, columns, row, clock.wall(), { ...local, unverified }));
  };
}

function rowOf(values: readonly Data[]): ProfileRow {
  const [clock] = values;
  const time = clock?.type === 'octet-string' || clock?.type === 'date-time' ? clock.value : [];
  return time instanceof Uint8Array && time.length === DATE_TIME_BYTES
    ? { values, time }
    : { values };
}
