import {
  DIGUNIT,
  NAMES_PER_DIGITAL,
  countsOf,
  digitalNames,
  fnomOf,
  namesOf,
  nominalFrom,
} from './configuration-common.ts';
import type { AnalogChannel, PhasorChannel, PmuConfiguration, PmuSite } from './configuration.ts';
import type { Field } from './fields.ts';
import { f32, i32, list, nameByLength, octets, structure, u16, u8 } from './fields.ts';
import { formatOf, formatWordOf } from './words.ts';

/** What a PMU's block in CFG-3 begins with (C37.118.2-2011, 6.5, Table 10). */
const PMU_HEAD = structure<{
  STN: string;
  IDCODE: number;
  G_PMU_ID: Uint8Array;
  FORMAT: number;
  PHNMR: number;
  ANNMR: number;
  DGNMR: number;
}>({
  STN: nameByLength,
  IDCODE: u16,
  G_PMU_ID: octets(16),
  FORMAT: u16,
  PHNMR: u16,
  ANNMR: u16,
  DGNMR: u16,
});

interface Phscale {
  modifications: number;
  type: number;
  user: number;
  factor: number;
  angleOffset: number;
}

const PHSCALE = structure<Phscale>({
  modifications: u16,
  type: u8,
  user: u8,
  factor: f32,
  angleOffset: f32,
});
const ANSCALE = structure<{ factor: number; offset: number }>({ factor: f32, offset: f32 });

/** The rest of the block, whose lengths the counts of its head give. */
const pmuRest = ({ PHNMR, ANNMR, DGNMR }: { PHNMR: number; ANNMR: number; DGNMR: number }) =>
  structure({
    CHNAM: list(PHNMR + ANNMR + NAMES_PER_DIGITAL * DGNMR, nameByLength),
    PHSCALE: list(PHNMR, PHSCALE),
    ANSCALE: list(ANNMR, ANSCALE),
    DIGUNIT: list(DGNMR, DIGUNIT),
    PMU_LAT: f32,
    PMU_LON: f32,
    PMU_ELEV: f32,
    SVC_CLASS: octets(1),
    WINDOW: i32,
    GRP_DLY: i32,
    FNOM: u16,
    CFGCNT: u16,
  });

/** Unknown position is sent as infinity; the measuring window and class default to the common. */
const UNKNOWN_SITE: PmuSite = {
  globalId: new Uint8Array(16),
  latitude: Infinity,
  longitude: Infinity,
  elevation: Infinity,
  serviceClass: 'M',
  window: 0,
  groupDelay: 0,
};

export const configurationPmu3: Field<PmuConfiguration> = {
  leastBytes: PMU_HEAD.leastBytes + 25,
  read: (reader, name) => {
    const start = PMU_HEAD.read(reader, name);
    const rest = pmuRest(start).read(reader, name);
    return {
      stationName: start.STN,
      idCode: start.IDCODE,
      format: formatOf(start.FORMAT),
      phasors: rest.PHSCALE.map((scale, index) => phasorFrom(rest.CHNAM[index] ?? '', scale)),
      analogs: rest.ANSCALE.map((scale, index) => ({
        name: rest.CHNAM[start.PHNMR + index] ?? '',
        scale: { kind: 'anscale', ...scale },
      })),
      digitals: rest.DIGUNIT.map((masks, index) => ({
        names: digitalNames(rest.CHNAM, start.PHNMR + start.ANNMR, index),
        ...masks,
      })),
      nominalFrequency: nominalFrom(rest.FNOM),
      changeCount: rest.CFGCNT,
      site: {
        globalId: start.G_PMU_ID,
        latitude: rest.PMU_LAT,
        longitude: rest.PMU_LON,
        elevation: rest.PMU_ELEV,
        serviceClass: String.fromCharCode(...rest.SVC_CLASS),
        window: rest.WINDOW,
        groupDelay: rest.GRP_DLY,
      },
    };
  },
  write: (writer, pmu, name) => {
    const start = countsOf(pmu);
    const { stationName: STN, idCode: IDCODE, site = UNKNOWN_SITE } = pmu;
    const FORMAT = formatWordOf(pmu.format);
    PMU_HEAD.write(writer, { STN, IDCODE, G_PMU_ID: site.globalId, FORMAT, ...start }, name);
    pmuRest(start).write(
      writer,
      {
        CHNAM: namesOf(pmu),
        PHSCALE: pmu.phasors.map(phscaleOf),
        ANSCALE: pmu.analogs.map(anscaleOf),
        DIGUNIT: pmu.digitals,
        PMU_LAT: site.latitude,
        PMU_LON: site.longitude,
        PMU_ELEV: site.elevation,
        SVC_CLASS: Uint8Array.of(site.serviceClass.charCodeAt(0) & 0xff),
        WINDOW: site.window,
        GRP_DLY: site.groupDelay,
        FNOM: fnomOf(pmu),
        CFGCNT: pmu.changeCount,
      },
      name,
    );
  },
};

/** Bit 3 of the type tells voltage from current, bits 2–0 the component (Table 11). */
function phasorFrom(name: string, { type, ...scale }: Phscale): PhasorChannel {
  const quantity = (type & 8) === 0 ? 'voltage' : 'current';
  return { name, quantity, scale: { kind: 'phscale', ...scale, component: type & 7 } };
}

function phscaleOf({ quantity, scale }: PhasorChannel): Phscale {
  const kind = quantity === 'current' ? 8 : 0;
  if (scale.kind === 'phscale') return { ...scale, type: kind | scale.component };
  return { modifications: 0, type: kind, user: 0, factor: scale.factor / 1e5, angleOffset: 0 };
}

function anscaleOf({ scale }: AnalogChannel): { factor: number; offset: number } {
  return scale.kind === 'anscale' ? scale : { factor: scale.factor, offset: 0 };
}
