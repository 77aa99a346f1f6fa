import type { Observation, Reading } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import type { Append } from '#store/store.ts';

export const BACKEND = 'utility';
export const GATEWAY = 'bench';

/** What a sender appends: `count` observations, spread evenly over `streams`. */
export interface Load {
  readonly streams: number;
  readonly count: number;
  /** As fast as they are confirmed unless given. */
  readonly perSecond?: number;
  /** Readings of the n-th observation: from the first to the last number, by turns. */
  readonly readings: readonly [number, number];
  /** Whether each says when it was appended, so that a receiver can tell its latency. */
  readonly stamped: boolean;
}

/** Registers of a P1 telegram (DSMR 5.0.2, 6.12), with a value each as a house has it. */
const REGISTERS = [
  { object: '1-0:1.8.1*255', unit: 'kWh', scaler: -3, raw: 4_512_307 },
  { object: '1-0:1.8.2*255', unit: 'kWh', scaler: -3, raw: 6_071_044 },
  { object: '1-0:2.8.1*255', unit: 'kWh', scaler: -3, raw: 1_204_551 },
  { object: '1-0:2.8.2*255', unit: 'kWh', scaler: -3, raw: 2_873_902 },
  { object: '1-0:1.7.0*255', unit: 'kW', scaler: -3, raw: 1_193 },
  { object: '1-0:32.7.0*255', unit: 'V', scaler: -1, raw: 2_301 },
  { object: '1-0:52.7.0*255', unit: 'V', scaler: -1, raw: 2_298 },
  { object: '1-0:72.7.0*255', unit: 'V', scaler: -1, raw: 2_310 },
  { object: '1-0:31.7.0*255', unit: 'A', scaler: 0, raw: 5 },
  { object: '1-0:51.7.0*255', unit: 'A', scaler: 0, raw: 2 },
] as const;

/** The telegram's text message carries the stamp. */
const TEXT = '0-0:96.13.0*255';

/** Milliseconds that two processes of one machine agree on. */
export function sharedMs(): number {
  return performance.timeOrigin + performance.now();
}

export function stamp(number: number): string {
  return `@${sharedMs().toFixed(2)}#${number};`;
}

const STAMP = /@(\d+\.\d+)#(\d+);/g;

/** The stamps in a payload: when each was appended, and its number. */
export function stampsIn(payload: Uint8Array): readonly { ms: number; number: number }[] {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('latin1');
  return Array.from(text.matchAll(STAMP), ([, ms, number]) => {
    return { ms: Number(ms), number: Number(number) };
  });
}

export function appendOf(load: Load, number: number): Append {
  const now = Date.now();
  const source = `meter${number % load.streams}`;
  const observation: Observation = {
    source,
    time: {
      second: Math.floor(now / 1000),
      nanosecond: (now % 1000) * 1e6,
      clock: 'device',
      trust: 'trusted',
    },
    quality: [],
    readings: readingsOf(load, number),
  };
  const { readings } = observation;
  const output = { backend: BACKEND, stream: source, class: 'measurement' as const };
  return {
    source,
    observation: encodeStored(observation),
    readings: readings.length,
    takenMs: now,
    outputs: [{ ...output, readings: readings.length, ...encodeRecords(observation) }],
  };
}

export function readingsOf(load: Load, number: number): readonly Reading[] {
  const [least, most] = load.readings;
  const count = least + (number % (most - least + 1));
  const stamps = load.stamped ? 1 : 0;
  const measured = Array.from({ length: count - stamps }, (_, index) => register(index, number));
  if (!load.stamped) return measured;
  return [...measured, { object: TEXT, raw: stamp(number), scaler: 0, unit: '' }];
}

/** Counts up, as a meter does; beyond the telegram's registers come those of other channels. */
function register(index: number, number: number): Reading {
  const { object, raw, ...rest } = REGISTERS[index % REGISTERS.length] ?? REGISTERS[0];
  const channel = Math.floor(index / REGISTERS.length);
  return { object: object.replace('-0:', `-${channel}:`), raw: raw + (number % 1000), ...rest };
}
