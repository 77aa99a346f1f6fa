import type { DataValue } from '#protocol/iec62056-21/data-set.ts';
import { decimalOf, objectOf, textOfValues } from '#protocol/iec62056-21/data-set.ts';
import type { Readout } from '#protocol/iec62056-21/readout.ts';
import type { P1Object, P1Telegram } from '#protocol/p1/telegram.ts';
import type { P1Time } from '#protocol/p1/time.ts';
import { p1TimeOf } from '#protocol/p1/time.ts';
import type { Observation, Reading, TimeMark } from './reading.ts';

export interface P1Zone {
  /** Winter time minus UTC in minutes; Central European Time (60) unless given. */
  readonly zoneOffsetMin?: number;
}

const CENTRAL_EUROPEAN_OFFSET_MIN = 60;
const CLOCK = '0-0:1.0.0*255';

/**
 * What a P1 telegram says, in its order. The telegram's own time is used where it has one, else
 * `arrival`. P1 time is local time; its S or W tells summer from winter, the zone is a setting.
 *
 * Values with a unit, counters and decimal fractions become numbers with the digits as written;
 * identifiers, hex octet strings, tariff indicators and histories (`0-0:98.1.0`, `1-0:99.97.0`)
 * stay texts as written. A reading that carries a time of its own (M-Bus, peaks) has `time`.
 */
export function observationFromP1(
  source: string,
  telegram: P1Telegram,
  arrival: TimeMark,
  zone: P1Zone = {},
): Observation {
  const offsetMin = zone.zoneOffsetMin ?? CENTRAL_EUROPEAN_OFFSET_MIN;
  const { time, objects } = telegram;
  const clockIsBad = time === undefined && objects.some(({ object }) => object === CLOCK);
  return {
    source,
    time: time === undefined ? arrival : timeMarkOf(time, offsetMin),
    quality: [
      ...(isUnverified(telegram) ? (['unverified'] as const) : []),
      ...(clockIsBad ? (['clock-invalid'] as const) : []),
      ...(telegram.check === 'bad' ? (['questionable'] as const) : []),
    ],
    readings: objects
      .filter(({ object }) => object !== CLOCK || clockIsBad)
      .flatMap((object) => readingsOf(object, offsetMin)),
  };
}

function isUnverified({ ciphered, unverified }: P1Telegram): boolean {
  return unverified === true || ciphered?.verified === false;
}

/** What a read-out says. Its addresses stay as written: groups A and B are the meter's medium. */
export function observationFromReadout(
  source: string,
  readout: Readout,
  arrival: TimeMark,
): Observation {
  return {
    source,
    time: arrival,
    quality: readout.check === 'bad' ? ['questionable'] : [],
    readings: readout.dataSets.map(({ address, values }) => {
      const [value] = values;
      const object = objectOf(address);
      return values.length === 1 && value !== undefined
        ? readingOf(object, value)
        : textReading(object, textOfValues(values));
    }),
  };
}

/** The instant of a P1 time; without S or W the hour is a guess, and says so. */
function timeMarkOf({ localSecond, summer }: P1Time, zoneOffsetMin: number): TimeMark {
  const localOffsetMin = zoneOffsetMin + (summer === true ? 60 : 0);
  const second = localSecond - localOffsetMin * 60;
  const base = { second, nanosecond: 0, clock: 'device' } as const;
  if (summer === undefined) return { ...base, trust: 'untrusted' };
  return { ...base, trust: 'trusted', localOffsetMin };
}

function readingsOf({ object, values }: P1Object, zoneOffsetMin: number): readonly Reading[] {
  const [first, second] = values;
  if (first === undefined) return [];
  if (values.length === 1) return [readingOf(object, first)];
  if (values.length === 2 && second !== undefined && looksLikeTime(first.text)) {
    return [{ ...readingOf(object, second), ...timed(first, zoneOffsetMin) }];
  }
  return hourlyReadings(values, zoneOffsetMin) ?? [textReading(object, textOfValues(values))];
}

/**
 * M-Bus readings of DSMR 2.2 and 3.0 (P1 3.0, 6.10) as a load profile of IEC 62056-21:
 * `(time)(status)(period in minutes)(count)(object)(unit)` and then `count` values.
 */
function hourlyReadings(
  values: readonly DataValue[],
  zoneOffsetMin: number,
): readonly Reading[] | undefined {
  const [start, , period, count, object, unit, ...items] = values;
  const time = p1TimeOf(start?.text ?? '');
  const periodMin = periodOf(period?.text ?? '');
  if (time === undefined || periodMin === undefined) return undefined;
  if (object === undefined || unit === undefined) return undefined;
  if (items.length === 0 || Number(count?.text) !== items.length) return undefined;
  return items.map((item, index) => ({
    ...readingOf(objectOf(object.text), { text: item.text, unit: unit.text }),
    time: timeMarkOf(
      { ...time, localSecond: time.localSecond + index * periodMin * 60 },
      zoneOffsetMin,
    ),
  }));
}

/** Load profiles are kept by the minute to by the month; any other period is no period. */
const PERIOD_MIN_MAX = 31 * 24 * 60;

function periodOf(text: string): number | undefined {
  const periodMin = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return periodMin >= 1 && periodMin <= PERIOD_MIN_MAX ? periodMin : undefined;
}

function looksLikeTime(text: string): boolean {
  return /^\d{12}[SW]?$/.test(text);
}

/** A date that does not exist (meters fill it with FF) means that there was no reading yet. */
function timed(value: DataValue, zoneOffsetMin: number): Pick<Reading, 'time' | 'quality'> {
  const time = p1TimeOf(value.text);
  if (time === undefined) return { quality: ['clock-invalid'] };
  return { time: timeMarkOf(time, zoneOffsetMin) };
}

function readingOf(object: string, { text, unit }: DataValue): Reading {
  const decimal = isNumber(object, text, unit) ? decimalOf(text) : undefined;
  return decimal === undefined
    ? { object, raw: text, scaler: 0, unit }
    : { object, ...decimal, unit };
}

function textReading(object: string, raw: string): Reading {
  return { object, raw, scaler: 0, unit: '' };
}

/**
 * Objects without unit that are numbers in DSMR 5.0.2 P1, 6.12 and eMUCS P1 1.7: power failures,
 * voltage sags and swells, breaker and valve states, device types, and M-Bus values not yet read.
 */
const COUNTERS = /^\d+-\d+:(96\.7\.\d+|\d+\.(32|36)\.0|96\.3\.10|24\.[124]\.\d+)\*255$/;

function isNumber(object: string, text: string, unit: string): boolean {
  return unit !== '' || COUNTERS.test(object) || /^[+-]?\d+\.\d+$/.test(text);
}
