import fc from 'fast-check';
import { type Observation, QUALITIES, type Reading, type TimeMark } from '#reading/reading.ts';

/** Any time that a clock which has been set may give: 1979 to 2400. */
const timeMark: fc.Arbitrary<TimeMark> = fc.record(
  {
    second: fc.integer({ min: 2 ** 28 + 86_400 * 365, max: 13_569_465_600 }),
    nanosecond: fc.oneof(
      fc.constant(0),
      fc.nat(49).map((k) => k * 20_000_000),
      fc.nat(999_999_999),
    ),
    clock: fc.constantFrom('device', 'gateway'),
    trust: fc.constantFrom('trusted', 'untrusted', 'unknown'),
    leapSecond: fc.constant(true),
    localOffsetMin: fc.integer({ min: -720, max: 840 }),
  },
  { requiredKeys: ['second', 'nanosecond', 'clock', 'trust'], noNullPrototype: true },
);

const object = fc.oneof(
  fc
    .tuple(fc.nat(9), fc.nat(9), fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
    .map(([a, b, c, d, e, f]) => `${a}-${b}:${c}.${d}.${e}*${f}`),
  fc.constantFrom('241/phasor/VALPM/magnitude', '1-0:1.8.0.255', '1-0:1.8.0', 'BUS_1 A/°', '_2e'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((text) => text.toWellFormed()),
);

const sized = fc.bigInt(-(2n ** 64n), 2n ** 64n - 1n).filter((value) => !isSafe(value));
const whole = fc.oneof(fc.maxSafeInteger(), fc.integer(), sized);
const value = fc.oneof(
  fc.record({ raw: whole, scaler: fc.integer({ min: -12, max: 12 }) }),
  fc.record({
    raw: fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.toWellFormed()),
      fc.boolean(),
      fc.uint8Array({ maxLength: 30 }),
    ),
    scaler: fc.constant(0),
  }),
);

const quality = fc.uniqueArray(fc.constantFrom(...QUALITIES)).map((marks) => {
  return QUALITIES.filter((mark) => marks.includes(mark));
});

const unit = fc.constantFrom('', 'Wh', 'kWh', 'varh', 'V', 'A', 'var', 'm3', 'Cel', 'Hz/s', 'bar');

const reading: fc.Arbitrary<Reading> = fc
  .tuple(
    fc.record({ object, unit }),
    value,
    fc.record({ time: timeMark, quality }, { requiredKeys: [], noNullPrototype: true }),
  )
  .map(([named, valued, own]) => ({ ...named, ...valued, ...own }));

/** Observations with at least one reading, of all that a device may say. */
export const anyObservation: fc.Arbitrary<Observation> = fc.record(
  {
    source: fc.constantFrom('meter1', 'pmu-241', 'gas'),
    time: timeMark,
    quality,
    readings: fc.array(reading, { minLength: 1, maxLength: 12 }),
  },
  { noNullPrototype: true },
);

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value));
}
