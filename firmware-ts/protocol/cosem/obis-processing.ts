/** Group D of electricity (IEC 62056-6-1). Instantaneous values need no word. */
export const PROCESSINGS: Readonly<Record<number, string>> = {
  0: ', average of the billing period',
  1: ', cumulative minimum',
  2: ', cumulative maximum',
  3: ', minimum demand',
  4: ', running average demand',
  5: ', last average demand',
  6: ', maximum demand',
  7: '',
  8: '',
  9: ', since the billing period began',
  10: ', while above a limit',
  27: ', running average (recording 5)',
  28: ', running average (recording 6)',
  29: ', of the recording interval',
  30: ', of the recording interval 2',
  31: ': under-limit threshold',
  32: ': times under limit',
  33: ': duration under limit',
  34: ': magnitude under limit',
  35: ': over-limit threshold',
  36: ': times over limit',
  37: ': duration over limit',
  38: ': magnitude over limit',
  39: ': missing threshold',
  40: ': times missing',
  41: ': duration missing',
  42: ': magnitude missing',
  55: ', test average',
};

/** Group D whose group E tells the tariff. */
export const TARIFF_PROCESSINGS: ReadonlySet<number> = new Set([
  ...[0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 29, 30],
]);

/** Group E beyond the single harmonics. */
export const HARMONIC_CURVES: Readonly<Record<number, string>> = {
  124: 'total harmonic distortion',
  125: 'total demand distortion',
  126: 'all harmonics',
  127: 'all harmonics to nominal',
};
