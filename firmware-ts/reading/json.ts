import { toHex } from '#bytes/hex.ts';
import type { RawValue, TimeMark } from './reading.ts';

/** Integers beyond 2^53 are digits in a string, bytes are hex, what is no number is null. */
export type JsonScalar = number | string | boolean | null;

/** A value as JSON can hold it. */
export function jsonScalarOf(value: RawValue): JsonScalar {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return toHex(value);
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/**
 * RFC 3339 in UTC, with as many decimals as the instant has; `@` and the second where a device
 * claims a year that has no such form.
 */
export function isoTimeOf({ second, nanosecond }: Pick<TimeMark, 'second' | 'nanosecond'>): string {
  const date = new Date(second * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) return `@${second}`;
  const fraction = String(nanosecond).padStart(9, '0').replace(/0+$/, '');
  const whole = date.toISOString().slice(0, -'.000Z'.length);
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}
