import type { Reader } from '#bytes/cursor.ts';
import { Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { configurationPmu3 } from './configuration-3.ts';
import {
  DIGUNIT,
  NAMES_PER_DIGITAL,
  countsOf,
  digitalNames,
  fnomOf,
  namesOf,
  nominalFrom,
} from './configuration-common.ts';
import type {
  AnalogChannel,
  Configuration,
  PhasorChannel,
  PmuConfiguration,
} from './configuration.ts';
import type { Field } from './fields.ts';
import { i16, i24, list, name16, structure, u16, u24, u8 } from './fields.ts';
import type { Frame } from './frame.ts';
import { encodeFrame, expectEnd, openFrame } from './frame.ts';
import { formatOf, formatWordOf } from './words.ts';

/** TIME_BASE: flags above, reserved (6.4, Table 9). */
const TIME_BASE = structure<{ FLAGS: number; TIME_BASE: number }>({ FLAGS: u8, TIME_BASE: u24 });

/** What a PMU's block in CFG-1 and CFG-2 begins with (6.4, Table 8, fields 8–13). */
const PMU_HEAD = structure<{
  STN: string;
  IDCODE: number;
  FORMAT: number;
  PHNMR: number;
  ANNMR: number;
  DGNMR: number;
}>({ STN: name16, IDCODE: u16, FORMAT: u16, PHNMR: u16, ANNMR: u16, DGNMR: u16 });

const PHUNIT = structure<{ type: number; factor: number }>({ type: u8, factor: u24 });
const ANUNIT = structure<{ type: number; factor: number }>({ type: u8, factor: i24 });

/** The rest of the block, whose lengths the counts of its head give (fields 14–19). */
const pmuRest = ({ PHNMR, ANNMR, DGNMR }: { PHNMR: number; ANNMR: number; DGNMR: number }) =>
  structure({
    CHNAM: list(PHNMR + ANNMR + NAMES_PER_DIGITAL * DGNMR, name16),
    PHUNIT: list(PHNMR, PHUNIT),
    ANUNIT: list(ANNMR, ANUNIT),
    DIGUNIT: list(DGNMR, DIGUNIT),
    FNOM: u16,
    CFGCNT: u16,
  });

/**
 * A configuration from a checked CFG-1, CFG-2 or CFG-3 frame.
 * Errors: `truncated` (counts that do not fit too), `bad-length`, `bad-time-base`,
 * `fragmented` (a CFG-3 in several frames), `not-a-configuration`.
 */
export function decodeConfiguration(frame: Frame): Configuration {
  const { head, reader } = openFrame(frame);
  const third = head.kind === 'configuration-3';
  if (!third && head.kind !== 'configuration-1' && head.kind !== 'configuration-2') {
    throw new OperatingError('not-a-configuration', `a ${head.kind} frame`, { field: 'SYNC' });
  }
  if (third) refuseFragment(reader);
  const timeBase = timeBaseFrom(reader);
  const count = u16.read(reader, 'NUM_PMU');
  const pmus = list(count, third ? configurationPmu3 : configurationPmu).read(reader, 'PMU');
  const dataRate = i16.read(reader, 'DATA_RATE');
  expectEnd(reader);
  return { head, timeBase, pmus, dataRate };
}

/** The frame that `decodeConfiguration` reads. Errors: `too-long` (frame, name). */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new Writer(512);
  const third = configuration.head.kind === 'configuration-3';
  if (third) u16.write(writer, 0, 'CONT_IDX');
  TIME_BASE.write(writer, { FLAGS: 0, TIME_BASE: configuration.timeBase }, '');
  u16.write(writer, configuration.pmus.length, 'NUM_PMU');
  const pmu = third ? configurationPmu3 : configurationPmu;
  list(configuration.pmus.length, pmu).write(writer, configuration.pmus, 'PMU');
  i16.write(writer, configuration.dataRate, 'DATA_RATE');
  return encodeFrame(configuration.head, writer.finish());
}

/** CONT_IDX (6.5, Table 10): 0 is the only frame, others are pieces of one. */
function refuseFragment(reader: Reader): void {
  const offset = reader.offset;
  const index = u16.read(reader, 'CONT_IDX');
  if (index === 0) return;
  throw new OperatingError('fragmented', `piece ${index} of a CFG-3`, {
    offset,
    field: 'CONT_IDX',
    hint: 'ask for CFG-2 instead',
  });
}

function timeBaseFrom(reader: Reader): number {
  const offset = reader.offset;
  const { TIME_BASE: timeBase } = TIME_BASE.read(reader, 'TIME_BASE');
  if (timeBase > 0) return timeBase;
  throw new OperatingError('bad-time-base', 'TIME_BASE is 0', { offset, field: 'TIME_BASE' });
}

const configurationPmu: Field<PmuConfiguration> = {
  leastBytes: PMU_HEAD.leastBytes + 4,
  read: (reader, name) => {
    const start = PMU_HEAD.read(reader, name);
    const rest = pmuRest(start).read(reader, name);
    return {
      stationName: start.STN,
      idCode: start.IDCODE,
      format: formatOf(start.FORMAT),
      phasors: rest.PHUNIT.map((unit, index) => phasorFrom(rest.CHNAM[index] ?? '', unit)),
      analogs: rest.ANUNIT.map(({ type, factor }, index) => ({
        name: rest.CHNAM[start.PHNMR + index] ?? '',
        scale: { kind: 'anunit', type, factor },
      })),
      digitals: rest.DIGUNIT.map((masks, index) => ({
        names: digitalNames(rest.CHNAM, start.PHNMR + start.ANNMR, index),
        ...masks,
      })),
      nominalFrequency: nominalFrom(rest.FNOM),
      changeCount: rest.CFGCNT,
    };
  },
  write: (writer, pmu, name) => {
    const start = countsOf(pmu);
    PMU_HEAD.write(
      writer,
      { STN: pmu.stationName, IDCODE: pmu.idCode, FORMAT: formatWordOf(pmu.format), ...start },
      name,
    );
    pmuRest(start).write(
      writer,
      {
        CHNAM: namesOf(pmu),
        PHUNIT: pmu.phasors.map(phunitOf),
        ANUNIT: pmu.analogs.map(anunitOf),
        DIGUNIT: pmu.digitals,
        FNOM: fnomOf(pmu),
        CFGCNT: pmu.changeCount,
      },
      name,
    );
  },
};

function phasorFrom(name: string, unit: { type: number; factor: number }): PhasorChannel {
  const quantity = (unit.type & 1) === 1 ? 'current' : 'voltage';
  return { name, quantity, scale: { kind: 'phunit', factor: unit.factor } };
}

function phunitOf({ quantity, scale }: PhasorChannel): { type: number; factor: number } {
  // PHSCALE counts in V or A, PHUNIT in 10^-5 of it.
  const factor = scale.kind === 'phunit' ? scale.factor : Math.round(scale.factor * 1e5);
  return { type: quantity === 'current' ? 1 : 0, factor: Math.min(factor, 0xff_ffff) };
}

function anunitOf({ scale }: AnalogChannel): { type: number; factor: number } {
  return scale.kind === 'anunit' ? scale : { type: 0, factor: Math.round(scale.factor) };
}
