/** What an element of a list means that names no objects itself, or no units. */
export interface ListEntry {
  /** `A-B:C.D.E*F`. */
  readonly obis: string;
  readonly scaler?: number;
  readonly unit?: string;
}

/** A list whose elements are known by their position. */
export interface PositionList {
  readonly name: string;
  /** How many elements the meter claims. */
  readonly count: number;
  /** How many arrive at least, where meters claim more than they bring. */
  readonly least?: number;
  /** What the element at `index` begins with, in bytes or text, to tell lists of one size apart. */
  readonly mark?: { readonly index: number; readonly hex: string };
  /** `undefined` for elements that carry no reading. */
  readonly entries: readonly (ListEntry | undefined)[];
}

const VERSION: ListEntry = { obis: '1-1:0.2.129*255' };
const METER_ID: ListEntry = { obis: '0-0:96.1.0*255' };
const METER_TYPE: ListEntry = { obis: '0-0:96.1.7*255' };
const CLOCK: ListEntry = { obis: '0-0:1.0.0*255' };

function electricity(codes: readonly string[], unit: string, scaler = 0): readonly ListEntry[] {
  return codes.map((code) => ({ obis: `1-0:${code}*255`, scaler, unit }));
}

const ACTIVE = electricity(['1.7.0', '2.7.0'], 'W');
const REACTIVE = electricity(['3.7.0', '4.7.0'], 'var');
const ENERGY = [
  ...electricity(['1.8.0', '2.8.0'], 'Wh'),
  ...electricity(['3.8.0', '4.8.0'], 'varh'),
];
const KAIFA_HEAD = [VERSION, METER_ID, METER_TYPE, ...ACTIVE, ...REACTIVE];
/** Kaifa shows currents in mA and voltages in 0,1 V (MA105/MA304 HAN, NVE list KFM_001). */
const KAIFA_ONE_PHASE = [
  ...KAIFA_HEAD,
  ...electricity(['31.7.0'], 'A', -3),
  ...electricity(['32.7.0'], 'V', -1),
];
const KAIFA_THREE_PHASE = [
  ...KAIFA_HEAD,
  ...electricity(['31.7.0', '51.7.0', '71.7.0'], 'A', -3),
  ...electricity(['32.7.0', '52.7.0', '72.7.0'], 'V', -1),
];
/** `KFM_001` */
const KAIFA_MARK = { index: 0, hex: '4b464d5f' };
/** Octet strings that name an Iskraemeco device begin with `ISK`. */
const ISKRA_MARK = { index: 0, hex: '49534b' };

/** Norway's lists after NVE/NEK, Slovenia's and Iskraemeco's own. */
export const POSITION_LISTS: readonly PositionList[] = [
  { name: 'kaifa-list-1', count: 1, entries: electricity(['1.7.0'], 'W') },
  { name: 'kaifa-list-2-one-phase', count: 9, mark: KAIFA_MARK, entries: KAIFA_ONE_PHASE },
  { name: 'kaifa-list-2', count: 13, mark: KAIFA_MARK, entries: KAIFA_THREE_PHASE },
  {
    name: 'kaifa-list-3-one-phase',
    count: 14,
    mark: KAIFA_MARK,
    entries: [...KAIFA_ONE_PHASE, CLOCK, ...ENERGY],
  },
  {
    name: 'kaifa-list-3',
    count: 18,
    mark: KAIFA_MARK,
    entries: [...KAIFA_THREE_PHASE, CLOCK, ...ENERGY],
  },
  {
    name: 'slovenia-list-1',
    count: 18,
    mark: ISKRA_MARK,
    entries: [
      { obis: '0-0:42.0.0*255' },
      { obis: '0-0:96.1.2*255' },
      ...ACTIVE,
      ...REACTIVE,
      ...electricity(['32.7.0', '52.7.0', '72.7.0'], 'V', -1),
      ...electricity(['31.7.0', '51.7.0', '71.7.0'], 'A', -2),
      ...electricity(['21.7.0', '41.7.0', '61.7.0', '22.7.0', '42.7.0', '62.7.0'], 'W'),
    ],
  },
  {
    // Claims twelve elements; meters in the field bring eight.
    name: 'iskra-list',
    count: 12,
    least: 8,
    mark: { index: 0, hex: '0006190900ff' },
    entries: [
      undefined,
      { obis: '0-0:96.1.0*255' },
      undefined,
      undefined,
      ...ENERGY,
      ...ACTIVE,
      undefined,
      undefined,
    ],
  },
];

/** Scalers and units of lists that name their objects but not these; C, D, E to entry. */
export interface ScaleTable {
  readonly name: string;
  readonly entries: ReadonlyMap<string, { readonly scaler: number; readonly unit: string }>;
}

const ENERGY_PHASES = ['21.8.0', '22.8.0', '41.8.0', '42.8.0', '61.8.0', '62.8.0'] as const;
const POWER_PHASES = ['21.7.0', '22.7.0', '41.7.0', '42.7.0', '61.7.0', '62.7.0'] as const;
const CURRENTS = ['31.7.0', '51.7.0', '71.7.0'] as const;
const VOLTAGES = ['32.7.0', '52.7.0', '72.7.0'] as const;
const FACTORS = ['13.7.0', '33.7.0', '53.7.0', '73.7.0'] as const;

function scales(
  groups: readonly (readonly [readonly string[], string, number])[],
): ReadonlyMap<string, { scaler: number; unit: string }> {
  return new Map(
    groups.flatMap(([codes, unit, scaler]) => codes.map((code) => [code, { scaler, unit }])),
  );
}

/** Kamstrup counts energy in 10 Wh, currents in 0,01 A (Omnipower HAN module, list _V0001). */
export const SCALE_TABLES: readonly (ScaleTable & {
  /** What the list's version identifier begins with, in hexadecimal. */
  readonly mark: string;
})[] = [
  {
    name: 'kamstrup',
    mark: '4b616d7374727570',
    entries: scales([
      [['1.7.0', '2.7.0', ...POWER_PHASES], 'W', 0],
      [['3.7.0', '4.7.0'], 'var', 0],
      [CURRENTS, 'A', -2],
      [VOLTAGES, 'V', 0],
      [FACTORS, '', -2],
      [['1.8.0', '2.8.0', ...ENERGY_PHASES], 'Wh', 1],
      [['3.8.0', '4.8.0'], 'varh', 1],
    ]),
  },
  {
    name: 'kaifa',
    mark: '4b464d5f',
    entries: scales([
      [['1.7.0', '2.7.0'], 'W', 0],
      [['3.7.0', '4.7.0'], 'var', 0],
      [CURRENTS, 'A', -3],
      [VOLTAGES, 'V', -1],
      [['1.8.0', '2.8.0'], 'Wh', 0],
      [['3.8.0', '4.8.0'], 'varh', 0],
    ]),
  },
];

const TARIFFS = ['1.8.0', '1.8.1', '1.8.2', '1.8.3', '1.8.4', '2.8.0'] as const;

/** Czech grid operators' RS485 interface (EGD, 2025): energy in Wh, power in W, unscaled. */
export const CZECH_SCALES: ScaleTable = {
  name: 'czech-rs485',
  entries: scales([
    [['1.7.0', '2.7.0', ...POWER_PHASES], 'W', 0],
    [TARIFFS, 'Wh', 0],
  ]),
};

/** The object that names a HAN list in Norway and Sweden. */
export const LIST_VERSION = VERSION.obis;
