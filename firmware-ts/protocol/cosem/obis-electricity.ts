/** Group C of electricity (IEC 62056-6-1): 1 to 20, in their order. */
export const QUANTITIES = [
  'active power import',
  'active power export',
  'reactive power import',
  'reactive power export',
  'reactive power QI',
  'reactive power QII',
  'reactive power QIII',
  'reactive power QIV',
  'apparent power import',
  'apparent power export',
  'current',
  'voltage',
  'power factor',
  'frequency',
  'active power import+export',
  'active power import-export',
  'active power QI',
  'active power QII',
  'active power QIII',
  'active power QIV',
] as const;

/** 1 to 20 for all phases, 21 to 40 for L1, and so on. */
export const PHASES = ['', ' L1', ' L2', ' L3'] as const;

/** Quantities modulo 20 whose group E counts harmonics: current and voltage. */
export const CURVES: ReadonlySet<number> = new Set([11, 12]);

export const SINGLE_QUANTITIES: Readonly<Record<number, string>> = {
  90: 'current, sum of phases',
  91: 'current neutral',
  92: 'voltage neutral',
  124: 'line voltage L1-L2',
  125: 'line voltage L2-L3',
  126: 'line voltage L3-L1',
};
