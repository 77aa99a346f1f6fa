/** Labels of SenML in CBOR (RFC 8428, 6), and their names in JSON. */
export const LABEL = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
} as const;

/**
 * Labels of our own; RFC 8428, 4.4 lets a receiver pass over those that it does not know.
 * - `k`: content key `[epoch, sequence, count]`, on the first record of a pack.
 * - `q`: quality, an array of marks (`reading.ts`); a record without it is good.
 * - `bc`: whose clock gave the times from here to the next `bt`, an array of words of `TimeMark`
 *   and the local offset in minutes, if known; without it: the device's clock, trusted.
 * - `c`: the same for the time of one record.
 * - `ux`: a unit that stands in no registry, instead of `u`.
 */
export const OWN = { key: 'k', quality: 'q', baseClock: 'bc', clock: 'c', unit: 'ux' } as const;

/**
 * RFC 9100, 2: version 10 (RFC 8428), plus the bit of feature 4, secondary units; from `beyond` on
 * a version has a feature that we do not know.
 */
export const VERSION = { plain: 10, secondaryUnits: 26, beyond: 32 } as const;

/** RFC 8428, 4.5.3: a resolved time below this many seconds is relative to now. */
export const RELATIVE_BELOW_SECONDS = 2 ** 28;
