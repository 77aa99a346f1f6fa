import { BENELUX } from './benelux.ts';
import type { Companion } from './companion.ts';
import { FRANCE } from './france.ts';
import { INDIA } from './india.ts';
import { ITALY } from './italy.ts';
import { NORDIC } from './nordic.ts';
import { SPAIN } from './spain.ts';

export const COMPANIONS: readonly Companion[] = [
  ...BENELUX,
  ...FRANCE,
  ...SPAIN,
  ...ITALY,
  ...NORDIC,
  ...INDIA,
];

/** The countries that have a companion of their own. */
export const COUNTRIES: readonly string[] = [
  ...new Set(COMPANIONS.flatMap(({ countries }) => countries)),
].sort();

/**
 * What the companion of the country says that an object is; without a country, what all companions
 * say alike that name it.
 */
export function companionWords(logicalName: Uint8Array, country?: string): string | undefined {
  const asked = COMPANIONS.filter(
    ({ countries }) => country === undefined || countries.includes(country),
  );
  const names = new Set(asked.flatMap((companion) => wordsIn(companion, logicalName) ?? []));
  const [name] = names;
  return names.size === 1 ? name : undefined;
}

function wordsIn({ objects }: Companion, logicalName: Uint8Array): string | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = logicalName;
  const own = objects[`${a}-${b}:${c}.${d}.${e}`];
  const any = objects[`${a}-n:${c}.${d}.${e}`];
  return own ?? (any === undefined ? undefined : `${any}, channel ${b}`);
}
