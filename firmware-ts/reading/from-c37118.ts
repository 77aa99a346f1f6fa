import type {
  Configuration,
  PhasorChannel,
  PmuConfiguration,
} from '#protocol/c37118/configuration.ts';
import type { DataFrame, DataLayout } from '#protocol/c37118/data.ts';
import {
  CLOCK_FAILURE,
  messageTimeErrorSeconds,
  statusOf,
  timeQualityOf,
} from '#protocol/c37118/words.ts';
import type { Observation, Quality, Reading, TimeMark } from './reading.ts';

export interface PmuChannel {
  readonly object: string;
  /** As the PMU calls it; of a digital word the sixteen names, those left empty too. */
  readonly name: string;
  readonly unit: string;
}

/**
 * What each PMU in a DATA frame says: phasors as magnitude and angle, FREQ, ROCOF, analogs, digital
 * words. Integers stay exact where the format is polar integer; a rectangular phasor is converted.
 */
export function observationsFromC37118(
  source: string,
  data: DataFrame,
  layout: DataLayout,
): readonly Observation[] {
  const { configuration } = layout;
  const instant = instantOf(data.second, data.fraction, configuration.timeBase);
  return configuration.pmus.map((pmu, index) => {
    const name = pmuName(configuration, index);
    const stat = data.stat[index] ?? 0;
    const time = timeMarkOf(instant, data.timeQuality, stat);
    return {
      source,
      time,
      quality: qualityOf(data.timeQuality, stat),
      readings: [
        ...phasorReadings(name, pmu, data, layout.pmus[index]?.firstPhasor ?? 0),
        ...frequencyReadings(name, pmu, data, index),
        ...analogReadings(name, pmu, data, layout.pmus[index]?.firstAnalog ?? 0),
        ...digitalReadings(name, pmu, data, layout.pmus[index]?.firstDigital ?? 0),
      ],
    };
  });
}

/** Every object that `observationsFromC37118` makes of this configuration, in its order. */
export function channelsOfC37118(configuration: Configuration): readonly PmuChannel[] {
  return configuration.pmus.flatMap((pmu, index) => {
    const at = pmuName(configuration, index);
    return [
      ...pmu.phasors.flatMap((phasor, n) => [
        { object: `${at}/phasor/${n}/magnitude`, name: phasor.name, unit: unitOf(phasor) },
        { object: `${at}/phasor/${n}/angle`, name: phasor.name, unit: 'rad' },
      ]),
      { object: `${at}/frequency`, name: pmu.stationName, unit: 'Hz' },
      { object: `${at}/rocof`, name: pmu.stationName, unit: 'Hz/s' },
      ...pmu.analogs.map(({ name }, n) => ({ object: `${at}/analog/${n}`, name, unit: '' })),
      ...pmu.digitals.map(({ names }, n) => ({
        object: `${at}/digital/${n}`,
        name: names.join('|'),
        unit: '',
      })),
    ];
  });
}

/** IDCODE, with `.2` and so on where PMUs of one stream carry the same. */
function pmuName({ pmus }: Configuration, index: number): string {
  const idCode = pmus[index]?.idCode ?? 0;
  let place = 1;
  for (let before = 0; before < index; before += 1) if (pmus[before]?.idCode === idCode) place += 1;
  return place === 1 ? String(idCode) : `${idCode}.${place}`;
}

/** SOC + FRACSEC / TIME_BASE, rounded to the nanosecond by long division in exact integers. */
export function instantOf(
  soc: number,
  fraction: number,
  timeBase: number,
): { readonly second: number; readonly nanosecond: number } {
  let second = soc + Math.floor(fraction / timeBase);
  let rest = fraction % timeBase;
  let nanosecond = 0;
  for (let group = 0; group < 3; group += 1) {
    nanosecond = nanosecond * 1000 + Math.floor((rest * 1000) / timeBase);
    rest = (rest * 1000) % timeBase;
  }
  if (2 * rest >= timeBase) nanosecond += 1;
  if (nanosecond === 1_000_000_000) [second, nanosecond] = [second + 1, 0];
  return { second, nanosecond };
}

/** The coarsest clock error that still tells which of 50 frames a second a value belongs to. */
const TRUSTED_ERROR_SECONDS = 1e-3;
const SECONDS_PER_DAY = 86_400;
/** PMU_TQ: error above 10 ms or unknown (6.3, Table 7). */
const PMU_TIME_UNKNOWN = 7;

function timeMarkOf(
  instant: { readonly second: number; readonly nanosecond: number },
  timeQuality: number,
  stat: number,
): TimeMark {
  const bits = timeQualityOf(timeQuality);
  const status = statusOf(stat);
  const error = messageTimeErrorSeconds(bits.code);
  const lost = status.notSynchronised === 1 || status.timeQuality === PMU_TIME_UNKNOWN;
  const known = error === undefined ? 'unknown' : trustWithin(error);
  // An inserted second bears the number of the midnight that it comes before (6.2.2).
  const inserted =
    bits.leapSecondPending === 1 &&
    bits.leapSecondDelete === 0 &&
    bits.leapSecondOccurred === 0 &&
    instant.second % SECONDS_PER_DAY === 0;
  const mark = { ...instant, clock: 'device', trust: lost ? 'untrusted' : known } as const;
  return inserted ? { ...mark, leapSecond: true } : mark;
}

function trustWithin(seconds: number): TimeMark['trust'] {
  return seconds <= TRUSTED_ERROR_SECONDS ? 'trusted' : 'untrusted';
}

/** Marks of STAT bits 15–14 (both editions), 13 and 9, and of a failed clock in MSG_TQ. */
function qualityOf(timeQuality: number, stat: number): readonly Quality[] {
  const status = statusOf(stat);
  const quality: Quality[] = [];
  if (status.notSynchronised === 1) quality.push('clock-unsynchronised');
  if (timeQualityOf(timeQuality).code === CLOCK_FAILURE) quality.push('clock-invalid');
  if (status.dataModified === 1) quality.push('modified');
  if (status.dataError === 2) quality.push('test', 'invalid'); // 2005: data invalid
  if (status.dataError === 1) quality.push('questionable');
  if (status.dataError === 3) quality.push('invalid');
  return quality;
}

/** What stands for "no value" in a 16-bit field (6.3); in floating point it is NaN. */
const ABSENT = -32768;
const INVALID: readonly Quality[] = ['invalid'];

function reading(
  object: string,
  raw: number,
  scaler: number,
  unit: string,
  valid: boolean,
): Reading {
  const plain = { object, raw, scaler, unit };
  return valid ? plain : { ...plain, quality: INVALID };
}

function* phasorReadings(
  name: string,
  pmu: PmuConfiguration,
  data: DataFrame,
  first: number,
): Generator<Reading> {
  for (const [index, channel] of pmu.phasors.entries()) {
    const a = data.phasors[2 * (first + index)] ?? NaN;
    const b = data.phasors[2 * (first + index) + 1] ?? NaN;
    const { magnitude, angle } = phasorValue(pmu, channel, a, b);
    const valid = validPhasor(pmu, a, b);
    const object = `${name}/phasor/${index}`;
    yield reading(`${object}/magnitude`, ...magnitude, unitOf(channel), valid);
    yield reading(`${object}/angle`, ...angle, 'rad', valid);
  }
}

/** A raw number and its power of ten. */
type Scaled = readonly [number, number];

function phasorValue(
  { format }: PmuConfiguration,
  { scale }: PhasorChannel,
  a: number,
  b: number,
): { readonly magnitude: Scaled; readonly angle: Scaled } {
  const integer = !format.floatPhasors;
  if (integer && format.polar && scale.kind === 'phunit') {
    return { magnitude: [a * scale.factor, -5], angle: [b, -4] };
  }
  const length = format.polar ? a : Math.hypot(a, b);
  const turned = scale.kind === 'phscale' ? scale.angleOffset : 0;
  const angle = angleOf(format.polar, integer, a, b) - turned;
  return { magnitude: [integer ? stepped(length, scale) : length, 0], angle: [wrapped(angle), 0] };
}

function stepped(length: number, scale: PhasorChannel['scale']): number {
  return scale.kind === 'phunit' ? (length * scale.factor) / 1e5 : length * scale.factor;
}

function angleOf(polar: boolean, integer: boolean, a: number, b: number): number {
  if (!polar) return Math.atan2(b, a);
  return integer ? b / 1e4 : b;
}

/** Into (−π, π] where an offset has led out of it; other angles stay as they were sent. */
function wrapped(angle: number): number {
  if (Math.abs(angle) <= 2 * Math.PI && angle > -Math.PI - 1e-3 && angle < Math.PI + 1e-3) {
    return angle;
  }
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

/** A polar magnitude may well be 0x8000; no angle is. */
function validPhasor({ format }: PmuConfiguration, a: number, b: number): boolean {
  if (format.floatPhasors) return !Number.isNaN(a) && !Number.isNaN(b);
  return b !== ABSENT && (format.polar || a !== ABSENT);
}

function unitOf({ quantity }: PhasorChannel): string {
  return quantity === 'voltage' ? 'V' : 'A';
}

function frequencyReadings(
  name: string,
  pmu: PmuConfiguration,
  data: DataFrame,
  index: number,
): readonly Reading[] {
  const frequency = data.frequency[2 * index] ?? NaN;
  const rocof = data.frequency[2 * index + 1] ?? NaN;
  const [objectF, objectR] = [`${name}/frequency`, `${name}/rocof`];
  if (!pmu.format.floatFrequency) {
    const raw = pmu.nominalFrequency * 1000 + frequency;
    return [
      reading(objectF, raw, -3, 'Hz', frequency !== ABSENT),
      reading(objectR, rocof, -2, 'Hz/s', rocof !== ABSENT),
    ];
  }
  // Some devices send the deviation here too; no grid runs at half its frequency.
  const deviation = Math.abs(frequency) < pmu.nominalFrequency / 2;
  const actual = deviation ? pmu.nominalFrequency + frequency : frequency;
  return [
    reading(objectF, actual, 0, 'Hz', !Number.isNaN(actual)),
    reading(objectR, rocof, 0, 'Hz/s', !Number.isNaN(rocof)),
  ];
}

function* analogReadings(
  name: string,
  pmu: PmuConfiguration,
  data: DataFrame,
  first: number,
): Generator<Reading> {
  for (const [index, { scale }] of pmu.analogs.entries()) {
    const sent = data.analogs[first + index] ?? NaN;
    const float = pmu.format.floatAnalogs;
    const valid = float ? !Number.isNaN(sent) : sent !== ABSENT;
    const factor = scale.factor === 0 ? 1 : scale.factor; // left at 0 by devices that do not scale
    const offset = scale.kind === 'anscale' ? scale.offset : 0;
    const raw = float ? sent : sent * factor + offset;
    yield reading(`${name}/analog/${index}`, raw, 0, '', valid);
  }
}

function digitalReadings(
  name: string,
  pmu: PmuConfiguration,
  data: DataFrame,
  first: number,
): readonly Reading[] {
  return pmu.digitals.map((_, index) =>
    reading(`${name}/digital/${index}`, data.digitals[first + index] ?? 0, 0, '', true),
  );
}
