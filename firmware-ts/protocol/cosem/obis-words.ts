import { ABSTRACT_OBJECTS } from './obis-abstract.ts';
import { companionWords } from './companions/lookup.ts';
import { mediumWords } from './obis-media.ts';
import { CURVES, PHASES, QUANTITIES, SINGLE_QUANTITIES } from './obis-electricity.ts';
import { HARMONIC_CURVES, PROCESSINGS, TARIFF_PROCESSINGS } from './obis-processing.ts';

type Groups = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const ELECTRICITY = 1;
/**
 * What an object is, in words: after the companion specification of `country` where it names it,
 * else by its groups of values (IEC 62056-6-1), else by what all companions agree on. `undefined`
 * where none tells, which is so for most that manufacturers define themselves.
 */
export function obisWords(logicalName: Uint8Array, country?: string): string | undefined {
  const national = country === undefined ? undefined : companionWords(logicalName, country);
  return national ?? standardWords(logicalName) ?? companionWords(logicalName);
}

/** By the general rules alone. */
export function standardWords(logicalName: Uint8Array): string | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = logicalName;
  const groups: Groups = [a, b, c, d, e, f];
  const known = ABSTRACT_OBJECTS[`${a}:${c}.${d}.${e}`];
  const what = known ?? (a === ELECTRICITY ? electricity(groups) : mediumWords(a, c, d, e));
  return what === undefined ? undefined : `${what}${channel(groups)}${billingPeriod(f)}`;
}

/** Group B counts channels from 1; 0 is that of a meter with one. */
function channel([a, b]: Groups): string {
  return b === 0 || (a === ELECTRICITY && b === 1) ? '' : `, channel ${b}`;
}

/** Group F, 0 to 99: a stored billing period, by its number; 255 is the running one. */
function billingPeriod(f: number): string {
  return f <= 99 ? `, billing period ${f}` : '';
}

function electricity([, , c, d, e]: Groups): string | undefined {
  const quantity = quantityOf(c);
  const processing = PROCESSINGS[d];
  if (quantity === undefined || processing === undefined) return undefined;
  if (CURVES.has(c % 20) && c > 10 && c <= 80 && d === 7 && e > 0) {
    const harmonic = e <= 120 ? `harmonic ${e}` : HARMONIC_CURVES[e];
    return harmonic === undefined ? undefined : `${quantity}, ${harmonic}`;
  }
  const tariff = e > 0 && e <= 63 ? `, tariff ${e}` : '';
  if (e > 0 && (tariff === '' || !TARIFF_PROCESSINGS.has(d))) return undefined;
  return `${energyOr(quantity, c, d)}${processing}${tariff}`;
}

/** Group C: quantities 1 to 20 for all phases together, then the same for each phase. */
function quantityOf(c: number): string | undefined {
  const single = SINGLE_QUANTITIES[c];
  if (single !== undefined || c < 1 || c > 80) return single;
  const quantity = QUANTITIES[(c - 1) % 20];
  return `${quantity}${PHASES[Math.floor((c - 1) / 20)]}`;
}

const TIME_INTEGRALS: ReadonlySet<number> = new Set([8, 9, 10, 29, 30, 58]);

/** A power integrated over time is an energy. */
function energyOr(quantity: string, c: number, d: number): string {
  return TIME_INTEGRALS.has(d) && c <= 80 ? quantity.replace('power', 'energy') : quantity;
}
