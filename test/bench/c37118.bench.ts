import { decodeConfiguration, encodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import type { Configuration, PmuConfiguration } from '#protocol/c37118/configuration.ts';
import { dataLayoutOf, newDataFrame, readData, writeData } from '#protocol/c37118/data.ts';
import { checkFrame } from '#protocol/c37118/frame.ts';
import { C37118Framer } from '#protocol/c37118/framer.ts';
import { type Bench, ratePerSecond } from './bench.ts';

/** As the examples of Annex D are: four integer phasors, float analogs, one digital word. */
function examplePmu(idCode: number): PmuConfiguration {
  return {
    stationName: `Station ${idCode}`,
    idCode,
    format: { polar: false, floatPhasors: false, floatAnalogs: true, floatFrequency: false },
    phasors: ['VA', 'VB', 'VC', 'I1'].map((name) => ({
      name,
      quantity: 'voltage',
      scale: { kind: 'phunit', factor: 915_527 },
    })),
    analogs: ['A', 'B', 'C'].map((name) => ({
      name,
      scale: { kind: 'anunit', type: 0, factor: 1 },
    })),
    digitals: [{ names: Array<string>(16).fill('X'), normalMask: 0, validMask: 0xffff }],
    nominalFrequency: 60,
    changeCount: 0,
  };
}

/** Ten floating-point phasors, four analogs, two digital words: 110 bytes of DATA. */
function largePmu(idCode: number): PmuConfiguration {
  const pmu = examplePmu(idCode);
  return {
    ...pmu,
    format: { polar: true, floatPhasors: true, floatAnalogs: true, floatFrequency: true },
    phasors: Array.from({ length: 10 }, (_, index) => ({
      name: `P${index}`,
      quantity: 'voltage',
      scale: { kind: 'phunit', factor: 1 },
    })),
    analogs: Array.from({ length: 4 }, (_, index) => ({
      name: `A${index}`,
      scale: { kind: 'anunit', type: 0, factor: 1 },
    })),
    digitals: [...pmu.digitals, ...pmu.digitals],
  };
}

function configured(pmus: readonly PmuConfiguration[]): Configuration {
  const time = { second: 0, fraction: 0, timeQuality: 0 };
  const head = { kind: 'configuration-2', version: 1, idCode: 1, ...time } as const;
  const configuration: Configuration = { head, timeBase: 1_000_000, pmus, dataRate: 50 };
  return decodeConfiguration(checkFrame(encodeConfiguration(configuration)));
}

const FRAMES = 1000;

/** Decoding checks SYNC, FRAMESIZE and CHK and reads every value into reused columns. */
function benchesOf(pmus: readonly PmuConfiguration[]): readonly Bench[] {
  const layout = dataLayoutOf(configured(pmus));
  const data = newDataFrame(layout);
  data.phasors.forEach((_, index) => (data.phasors[index] = index * 7 - 3));
  const size = layout.frameBytes;
  const stream = new Uint8Array(size * FRAMES);
  for (let index = 0; index < FRAMES; index += 1) {
    data.fraction = index * 20;
    writeData(layout, data, stream.subarray(index * size, (index + 1) * size));
  }
  const out = new Uint8Array(size);
  const decode = (): void => {
    for (let at = 0; at < stream.length; at += size) {
      readData(layout, checkFrame(stream.subarray(at, at + size)), data);
    }
  };
  const encode = (): void => {
    for (let index = 0; index < FRAMES; index += 1) {
      data.fraction = index;
      writeData(layout, data, out);
    }
  };
  const frame = (): void => {
    const framer = new C37118Framer();
    for (let at = 0; at < stream.length; at += 1024) {
      for (const piece of framer.push(stream.subarray(at, at + 1024))) {
        if (piece.kind === 'frame') readData(layout, piece.frame, data);
      }
    }
  };
  const unit = 'frames/s';
  return [
    { name: `c37118.decode.${size}B`, unit, run: () => ratePerSecond(FRAMES, decode) },
    { name: `c37118.encode.${size}B`, unit, run: () => ratePerSecond(FRAMES, encode) },
    { name: `c37118.stream.${size}B`, unit, run: () => ratePerSecond(FRAMES, frame) },
  ];
}

export const benches: readonly Bench[] = [
  ...benchesOf([examplePmu(1)]),
  ...benchesOf([examplePmu(1), examplePmu(2)]),
  ...benchesOf([1, 2, 3, 4].map(largePmu)),
];
