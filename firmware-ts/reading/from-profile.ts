import { obisText } from '#protocol/cosem/obis.ts';
import type { CosemItem } from '#protocol/cosem/lists.ts';
import type { ProfileRow } from '#protocol/cosem/profile-rows.ts';
import type { ProfilePlace } from '#protocol/cosem/read-profile.ts';
import type { ScalerUnit } from '#protocol/cosem/register.ts';
import { DATE_TIME_BYTES, dateTimeFrom } from '#protocol/dlms/date-time.ts';
import type { CaptureObject } from '#protocol/dlms/service.ts';
import { areEqual } from '#protocol/dlms/octets.ts';
import { observationFromCosem } from './from-cosem.ts';
import type { FromCosemOptions } from './from-cosem.ts';
import type { Observation, TimeMark } from './reading.ts';

/** A column of a profile, with what its values are to be multiplied by. */
export interface ProfileColumn extends CaptureObject {
  readonly scaled?: ScalerUnit;
}

const VALUE = 2;
/** The clock of a row, as the meter sent it: the place at which reading goes on. */
const ROW_CLOCK = '0-0:1.0.0*255';

export interface RowOptions extends FromCosemOptions {
  /** Nothing proved that it is the meter's, although something could have. */
  readonly unverified: boolean;
}

/**
 * The observation of a row. Its clock is kept in the meter's own twelve bytes, status and all:
 * what is stored last says where to go on (`placeOf`).
 */
export function observationFromRow(
  source: string,
  columns: readonly ProfileColumn[],
  row: ProfileRow,
  arrival: TimeMark,
  options: RowOptions,
): Observation {
  const { time, values } = row;
  const items = columns.flatMap((column, index): CosemItem[] => {
    const value = values[index];
    return value === undefined || value.value === time ? [] : [{ ...named(column), value }];
  });
  const shown = time === undefined ? {} : { dateTime: dateTimeFrom(time) };
  const told = { ...shown, items, unverified: options.unverified };
  const observation = observationFromCosem(source, told, arrival, options);
  if (time === undefined) return observation;
  const clock = { object: ROW_CLOCK, raw: time, scaler: 0, unit: '' };
  return { ...observation, readings: [clock, ...observation.readings] };
}

/** An attribute that is not the value, and an element of one, have it behind the OBIS code. */
function named({ instanceId, attributeId, dataIndex, scaled }: ProfileColumn) {
  const obis = obisText(instanceId);
  const attribute = attributeId === VALUE && dataIndex === 0 ? '' : `/${attributeId}`;
  const element = dataIndex === 0 ? '' : `/${dataIndex}`;
  return { obis: `${obis}${attribute}${element}`, ...(scaled ?? {}) };
}

/** The clock of the row that an observation was made of. */
export function rowClockOf({ readings }: Observation): Uint8Array | undefined {
  const raw = readings.find(({ object }) => object === ROW_CLOCK)?.raw;
  return raw instanceof Uint8Array && raw.length === DATE_TIME_BYTES ? raw : undefined;
}

/** Where to go on after the last observations of a source, oldest first. */
export function placeOf(last: readonly Observation[]): ProfilePlace | undefined {
  const clocks = last.map(rowClockOf);
  const time = clocks.at(-1);
  if (time === undefined) return undefined;
  const other = clocks.findLastIndex((one) => one === undefined || !areEqual(one, time));
  return { time, rows: clocks.length - 1 - other };
}
