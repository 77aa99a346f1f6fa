import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';

/**
 * date-time of COSEM (IEC 62056-6-2, 4.1.6.1). A part that the device left open is absent; days
 * and months that mean "the last" or "when summer time begins" name no day and count as open.
 */
export interface CosemDateTime {
  readonly year?: number;
  readonly month?: number;
  readonly day?: number;
  /** 1 is Monday. */
  readonly dayOfWeek?: number;
  readonly hour?: number;
  readonly minute?: number;
  readonly second?: number;
  readonly hundredths?: number;
  /** UTC minus local time in minutes: -60 in Central European winter. */
  readonly deviation?: number;
  readonly clockStatus?: ClockStatus;
}

/** clock_status (IEC 62056-6-2, 4.1.6.1). */
export interface ClockStatus {
  /** The time could not be recovered after an incident. */
  readonly invalidValue: boolean;
  /** It could, but not with certainty. */
  readonly doubtfulValue: boolean;
  readonly differentClockBase: boolean;
  /** At least one other bit of this status is wrong. */
  readonly invalidStatus: boolean;
  /** The deviation includes daylight saving. */
  readonly daylightSaving: boolean;
}

export const DATE_TIME_BYTES = 12;
const OPEN_U8 = 0xff;
const OPEN_U16 = 0xffff;
const OPEN_DEVIATION = -0x8000;
const CLOCK_STATUS = {
  invalidValue: 0x01,
  doubtfulValue: 0x02,
  differentClockBase: 0x04,
  invalidStatus: 0x08,
  daylightSaving: 0x80,
} as const;

/** The parts of date, time and deviation with the greatest value that means something. */
const U8_FIELDS = [
  ['month', 12],
  ['day', 31],
  ['dayOfWeek', 7],
  ['hour', 23],
  ['minute', 59],
  ['second', 59],
  ['hundredths', 99],
] as const;

/** Errors: `bad-date-time` when there are not 12 bytes. */
export function dateTimeFrom(bytes: Uint8Array): CosemDateTime {
  if (bytes.length !== DATE_TIME_BYTES) {
    throw new OperatingError('bad-date-time', `${bytes.length} bytes instead of 12`);
  }
  const reader = new Reader(bytes);
  const parts: Record<string, number> = {};
  const year = reader.u16('year');
  if (year !== OPEN_U16) parts['year'] = year;
  for (const [field, most] of U8_FIELDS) {
    const value = reader.u8(field);
    if (value <= most) parts[field] = value;
  }
  const deviation = reader.i16('deviation');
  if (deviation !== OPEN_DEVIATION) parts['deviation'] = deviation;
  const status = reader.u8('clock-status');
  return status === OPEN_U8 ? parts : { ...parts, clockStatus: clockStatusFrom(status) };
}

export function encodeDateTime(dateTime: CosemDateTime): Uint8Array {
  const writer = new Writer(DATE_TIME_BYTES).u16(dateTime.year ?? OPEN_U16);
  for (const [field] of U8_FIELDS) writer.u8(dateTime[field] ?? OPEN_U8);
  writer.u16((dateTime.deviation ?? OPEN_DEVIATION) & 0xffff);
  return writer.u8(byteOfClockStatus(dateTime.clockStatus)).finish();
}

function clockStatusFrom(byte: number): ClockStatus {
  return {
    invalidValue: (byte & CLOCK_STATUS.invalidValue) !== 0,
    doubtfulValue: (byte & CLOCK_STATUS.doubtfulValue) !== 0,
    differentClockBase: (byte & CLOCK_STATUS.differentClockBase) !== 0,
    invalidStatus: (byte & CLOCK_STATUS.invalidStatus) !== 0,
    daylightSaving: (byte & CLOCK_STATUS.daylightSaving) !== 0,
  };
}

function byteOfClockStatus(status: ClockStatus | undefined): number {
  if (status === undefined) return OPEN_U8;
  let byte = 0;
  for (const [field, bit] of Object.entries(CLOCK_STATUS)) {
    if (status[field as keyof ClockStatus]) byte |= bit;
  }
  return byte;
}

/**
 * Seconds since 1970 of the time shown, as if it were UTC; `undefined` where a part down to the
 * second is open or names no day of the calendar.
 */
export function localSecondOf(dateTime: CosemDateTime): number | undefined {
  const { year, month, day, hour, minute, second } = dateTime;
  if (year === undefined || month === undefined || day === undefined) return undefined;
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  if (year < 1970 || month < 1 || day < 1) return undefined;
  const instant = Date.UTC(year, month - 1, day, hour, minute, second);
  return new Date(instant).getUTCDate() === day ? instant / 1000 : undefined;
}

/** ISO 8601 as far as the parts go, with the offset where the device told it. */
export function dateTimeText(dateTime: CosemDateTime): string {
  const { year, month, day, hour, minute, second, deviation } = dateTime;
  const date = [digits(year, 4), digits(month, 2), digits(day, 2)].join('-');
  const time = [digits(hour, 2), digits(minute, 2), digits(second, 2)].join(':');
  return `${date}T${time}${deviation === undefined ? '' : offsetText(-deviation)}`;
}

function digits(value: number | undefined, width: number): string {
  return value === undefined ? '?'.repeat(width) : String(value).padStart(width, '0');
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes);
  const sign = minutes < 0 ? '-' : '+';
  return `${sign}${digits(Math.floor(size / 60), 2)}:${digits(size % 60, 2)}`;
}
