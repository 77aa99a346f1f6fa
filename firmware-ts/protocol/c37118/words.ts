import type { BitTable } from './fields.ts';
import { bitsOf, wordOf } from './fields.ts';

/** STAT, a word for each PMU in a DATA frame (C37.118.2-2011, 6.3, Table 7). */
export const STAT = {
  /** 0 good, 1 PMU error, 2 test mode, 3 PMU error; the 2005 standard reads 2 and 3 as invalid. */
  dataError: [14, 2],
  notSynchronised: [13, 1],
  sortedByArrival: [12, 1],
  trigger: [11, 1],
  configurationChange: [10, 1],
  dataModified: [9, 1],
  /** PMU_TQ: 0 not reported, 1 … 6 error below 10^(code − 8) s, 7 above 10 ms or unknown. */
  timeQuality: [6, 3],
  /** Time source lost for less than 10 s, 10 s, 100 s, 1000 s or more. */
  unlockedTime: [4, 2],
  triggerReason: [0, 4],
} as const satisfies BitTable<string>;

export type StatBits = Record<keyof typeof STAT, number>;

export const statusOf = (stat: number): StatBits => bitsOf(STAT, stat);
export const statOf = (bits: Partial<StatBits>): number => wordOf(STAT, bits);

/** Upper byte of FRACSEC in every frame (6.2.2, Table 3): leap seconds and the clock's quality. */
const MESSAGE_TIME_QUALITY = {
  reserved: [7, 1],
  /** 1: a second is deleted, 0: one is added. */
  leapSecondDelete: [6, 1],
  leapSecondOccurred: [5, 1],
  leapSecondPending: [4, 1],
  /** MSG_TQ: 0 locked, 1 … 11 within 10^(code − 10) s, 15 clock failure. */
  code: [0, 4],
} as const satisfies BitTable<string>;

export type MessageTimeQuality = Record<keyof typeof MESSAGE_TIME_QUALITY, number>;

export const timeQualityOf = (byte: number): MessageTimeQuality =>
  bitsOf(MESSAGE_TIME_QUALITY, byte);

/** MSG_TQ when the clock has failed: the time is not to be relied on (6.2.2, Table 4). */
export const CLOCK_FAILURE = 15;

/** Most error of the message's time in seconds; `undefined` for codes without a meaning. */
export function messageTimeErrorSeconds(code: number): number | undefined {
  if (code === 0) return 0;
  if (code === CLOCK_FAILURE) return Infinity;
  return code <= 11 ? 10 ** (code - 10) : undefined;
}

/** FORMAT of a PMU's data (6.4, Table 9). */
const FORMAT = {
  polar: [0, 1],
  floatPhasors: [1, 1],
  floatAnalogs: [2, 1],
  floatFrequency: [3, 1],
} as const satisfies BitTable<string>;

export interface Format {
  /** Phasors are magnitude and angle, else real and imaginary part. */
  readonly polar: boolean;
  readonly floatPhasors: boolean;
  readonly floatAnalogs: boolean;
  readonly floatFrequency: boolean;
}

export function formatOf(word: number): Format {
  const bits = bitsOf(FORMAT, word);
  return {
    polar: bits.polar === 1,
    floatPhasors: bits.floatPhasors === 1,
    floatAnalogs: bits.floatAnalogs === 1,
    floatFrequency: bits.floatFrequency === 1,
  };
}

export function formatWordOf(format: Format): number {
  return wordOf(FORMAT, {
    polar: Number(format.polar),
    floatPhasors: Number(format.floatPhasors),
    floatAnalogs: Number(format.floatAnalogs),
    floatFrequency: Number(format.floatFrequency),
  });
}
