/** Groups C and D of media other than electricity (EN 13757-1, Annex; IEC 62056-6-1). */
interface Medium {
  readonly quantities: Readonly<Record<number, string>>;
  /** Group D; 0 alone where none are here. */
  readonly processings?: Readonly<Record<number, string>>;
}

function thermal(medium: string): Medium {
  return {
    quantities: {
      1: `${medium} energy`,
      2: `${medium}: volume`,
      3: `${medium}: mass`,
      8: `${medium}: power`,
      9: `${medium}: flow rate`,
      10: `${medium}: flow temperature`,
      11: `${medium}: return temperature`,
      12: `${medium}: temperature difference`,
    },
  };
}

const GAS_VOLUMES = [
  ...['forward, undisturbed', 'forward, disturbed', 'forward'],
  ...['reverse, undisturbed', 'reverse, disturbed', 'reverse'],
];

/** Of the meter from 1 on, of the converter from 11 on. */
function gasVolumes(first: number, whose: string): Readonly<Record<number, string>> {
  return Object.fromEntries(
    GAS_VOLUMES.map((way, index) => [first + index, `gas volume ${way}${whose}`]),
  );
}

const GAS: Medium = {
  quantities: {
    ...gasVolumes(1, ''),
    ...gasVolumes(11, ' (converter)'),
    41: 'gas temperature',
    42: 'gas pressure',
    43: 'gas flow rate',
  },
  processings: { 0: '', 1: ', corrected', 2: ', at base conditions', 3: ', redundant' },
};

/** By group A. */
const MEDIA: Readonly<Record<number, Medium>> = {
  4: { quantities: { 1: 'heat cost: unrated integral', 2: 'heat cost: rated integral' } },
  5: thermal('cooling'),
  6: thermal('heat'),
  7: GAS,
  8: { quantities: { 1: 'cold water volume', 2: 'cold water flow rate' } },
  9: { quantities: { 1: 'hot water volume', 2: 'hot water flow rate' } },
};

const TARIFFS_MAX = 63;

export function mediumWords(a: number, c: number, d: number, e: number): string | undefined {
  const medium = MEDIA[a];
  const quantity = medium?.quantities[c];
  const processing = medium?.processings === undefined ? ONLY_TOTAL[d] : medium.processings[d];
  if (quantity === undefined || processing === undefined || e > TARIFFS_MAX) return undefined;
  return `${quantity}${processing}${e === 0 ? '' : `, tariff ${e}`}`;
}

const ONLY_TOTAL: Readonly<Record<number, string>> = { 0: '' };
