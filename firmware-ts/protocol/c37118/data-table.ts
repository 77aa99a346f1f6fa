import { Writer } from '#bytes/cursor.ts';
import type { PmuConfiguration } from './configuration.ts';
import type { DataFrame, DataLayout } from './data.ts';
import { newDataFrame } from './data.ts';
import { f32, i16, list, structure, u16 } from './fields.ts';
import type { Frame, FrameHead } from './frame.ts';
import { encodeFrame, expectEnd, openFrame } from './frame.ts';

/** A PMU's part of a DATA frame (C37.118.2-2011, 6.3, Table 6, fields 6–11). */
const pmuTable = ({ format, phasors, analogs, digitals }: PmuConfiguration) => {
  const frequency = format.floatFrequency ? f32 : i16;
  const second = format.floatPhasors ? f32 : i16;
  const first = !format.floatPhasors && format.polar ? u16 : second;
  return structure({
    STAT: u16,
    PHASORS: list(phasors.length, structure({ first, second })),
    FREQ: frequency,
    DFREQ: frequency,
    ANALOG: list(analogs.length, format.floatAnalogs ? f32 : i16),
    DIGITAL: list(digitals.length, u16),
  });
};

/** What `readData` reads, by the table of the standard. */
export function readDataByTable(layout: DataLayout, frame: Frame): DataFrame {
  const { head, reader } = openFrame(frame);
  const data = newDataFrame(layout);
  const { version, idCode, second, fraction, timeQuality } = head;
  Object.assign(data, { version, idCode, second, fraction, timeQuality });
  layout.configuration.pmus.forEach((pmu, index) => {
    const { firstPhasor = 0, firstAnalog = 0, firstDigital = 0 } = layout.pmus[index] ?? {};
    const part = pmuTable(pmu).read(reader, 'PMU');
    data.stat[index] = part.STAT;
    const phasors = part.PHASORS.flatMap(({ first, second: other }) => [first, other]);
    data.phasors.set(phasors, 2 * firstPhasor);
    data.frequency.set([part.FREQ, part.DFREQ], 2 * index);
    data.analogs.set(part.ANALOG, firstAnalog);
    data.digitals.set(part.DIGITAL, firstDigital);
  });
  expectEnd(reader);
  return data;
}

/** What `writeData` writes, by the table of the standard. */
export function writeDataByTable(layout: DataLayout, data: DataFrame): Uint8Array {
  const writer = new Writer(layout.frameBytes);
  layout.configuration.pmus.forEach((pmu, index) => {
    const columns = layout.pmus[index];
    const [firstPhasor, firstAnalog] = [columns?.firstPhasor ?? 0, columns?.firstAnalog ?? 0];
    const firstDigital = columns?.firstDigital ?? 0;
    const PHASORS = pmu.phasors.map((_, phasor) => ({
      first: data.phasors[2 * (firstPhasor + phasor)] ?? 0,
      second: data.phasors[2 * (firstPhasor + phasor) + 1] ?? 0,
    }));
    const part = {
      STAT: data.stat[index] ?? 0,
      PHASORS,
      FREQ: data.frequency[2 * index] ?? 0,
      DFREQ: data.frequency[2 * index + 1] ?? 0,
      ANALOG: [...data.analogs.subarray(firstAnalog, firstAnalog + pmu.analogs.length)],
      DIGITAL: [...data.digitals.subarray(firstDigital, firstDigital + pmu.digitals.length)],
    };
    pmuTable(pmu).write(writer, part, 'PMU');
  });
  const { version, idCode, second, fraction, timeQuality } = data;
  const head: FrameHead = { kind: 'data', version, idCode, second, fraction, timeQuality };
  return encodeFrame(head, writer.finish());
}
