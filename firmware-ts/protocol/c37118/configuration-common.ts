import type { PmuConfiguration } from './configuration.ts';
import { structure, u16 } from './fields.ts';

export const NAMES_PER_DIGITAL = 16;

/** DIGUNIT: the normal states of a digital word's inputs, and which of them are valid. */
export const DIGUNIT = structure<{ normalMask: number; validMask: number }>({
  normalMask: u16,
  validMask: u16,
});

/** What CFG-1, CFG-2 and CFG-3 derive from a PMU in the same way. */
export function countsOf({ phasors, analogs, digitals }: PmuConfiguration) {
  return { PHNMR: phasors.length, ANNMR: analogs.length, DGNMR: digitals.length };
}

/** CHNAM: phasors, analogs, then sixteen for each digital word. */
export function namesOf({ phasors, analogs, digitals }: PmuConfiguration): readonly string[] {
  return [...phasors, ...analogs]
    .map(({ name }) => name)
    .concat(
      digitals.flatMap(({ names }) =>
        Array.from({ length: NAMES_PER_DIGITAL }, (_, bit) => names[bit] ?? ''),
      ),
    );
}

export function digitalNames(
  names: readonly string[],
  first: number,
  index: number,
): readonly string[] {
  const start = first + NAMES_PER_DIGITAL * index;
  return names.slice(start, start + NAMES_PER_DIGITAL);
}

/** FNOM: bit 0 set for 50 Hz; the others are reserved. */
export const nominalFrom = (word: number): 50 | 60 => ((word & 1) === 1 ? 50 : 60);
export const fnomOf = (pmu: PmuConfiguration): number => (pmu.nominalFrequency === 50 ? 1 : 0);
