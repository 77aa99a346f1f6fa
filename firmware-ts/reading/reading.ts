/**
 * What a device said, in its own numbers. A value is `raw × 10^scaler` in `unit`; raw integers
 * are kept so that a metrological value is never altered by binary rounding.
 */
export interface Reading {
  /** OBIS code `A-B:C.D.E*F` or a PMU channel, e.g. `241/phasor/0/magnitude`. */
  readonly object: string;
  readonly raw: RawValue;
  /** Power of ten; 0 for text, flags and floating-point values. */
  readonly scaler: number;
  /** Unit symbol as in the SenML registry where it has one (`Wh`, `V`, `A`, `Hz`); '' if none. */
  readonly unit: string;
  /** Only where it differs from its observation's time, e.g. a gas meter behind a P1 port. */
  readonly time?: TimeMark;
  readonly quality?: readonly Quality[];
}

export type RawValue = number | bigint | string | boolean | Uint8Array;

/** Readings that one telegram, notification or frame brought, in the device's order. */
export interface Observation {
  /** The source's name in the configuration. */
  readonly source: string;
  readonly time: TimeMark;
  /** Holds for every reading below; empty means good. */
  readonly quality: readonly Quality[];
  readonly readings: readonly Reading[];
}

/** An instant in UTC, exact to the nanosecond, and who says so. */
export interface TimeMark {
  /** Seconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
  readonly second: number;
  readonly nanosecond: number;
  /** Whose clock: the device's own, or the gateway's at arrival. */
  readonly clock: 'device' | 'gateway';
  readonly trust: 'trusted' | 'untrusted' | 'unknown';
  /** True inside an inserted second, which repeats `second` (C37.118.2-2011, 6.2.2). */
  readonly leapSecond?: true;
  /** Local time minus UTC in minutes, where the device told it. */
  readonly localOffsetMin?: number;
}

export type Quality = (typeof QUALITIES)[number];

/** Marks, worst last; a value without marks is good. */
export const QUALITIES = [
  'unverified', // nothing proves who sent it, although there are keys or it was ciphered
  'clock-unsynchronised', // the device says that its clock is not locked
  'clock-invalid', // the device's clock or date is known to be wrong
  'modified', // altered by post-processing on its way (C37.118 STAT bit 9)
  'test', // the device is in test mode
  'questionable', // the device marks the value as doubtful
  'invalid', // the device marks the value as not valid
] as const;

/** The scaled value; exact powers of ten up to 10^22 make one correctly rounded operation. */
export function valueOf({ raw, scaler }: Pick<Reading, 'raw' | 'scaler'>): RawValue {
  if (scaler === 0 || (typeof raw !== 'number' && typeof raw !== 'bigint')) return raw;
  const number = Number(raw);
  return scaler > 0 ? number * 10 ** scaler : number / 10 ** -scaler;
}
