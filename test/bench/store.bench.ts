import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Observation } from '#reading/reading.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import { openStore } from '#store/open.ts';
import { type Bench, ratePerSecond } from './bench.ts';

/** Observations that wait for the disk together, as of some hundred busy sources. */
const IN_FLIGHT = 4_000;
const ROUNDS = 8;

/** A phasor frame's worth of floating-point channels. */
function observation(readings: number): Observation {
  return {
    source: 'pmu',
    time: { second: 1_800_000_000, nanosecond: 20_000_000, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: Array.from({ length: readings }, (_, channel) => {
      const object = `241/phasor/VA${channel}/magnitude`;
      return { object, raw: Math.fround(230 + channel / 7), scaler: 0, unit: 'V' };
    }),
  };
}

/** Readings a second whose fsync has returned; encoding is not counted. */
async function appendRate(readings: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'normd-bench-'));
  const store = await openStore({ directory });
  const taken = observation(readings);
  const { records, recordCount } = encodeRecords(taken);
  const append = {
    source: taken.source,
    observation: encodeStored(taken),
    readings,
    takenMs: 1_800_000_000_000,
    outputs: [
      {
        backend: 'utility',
        stream: 'pmu',
        class: 'measurement' as const,
        records,
        recordCount,
        readings,
      },
    ],
  };
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => store.append(append)));
  }
  const elapsedMs = performance.now() - start;
  await store.close();
  rmSync(directory, { recursive: true });
  return (ROUNDS * IN_FLIGHT * readings * 1000) / elapsedMs;
}

function encodeRate(readings: number): number {
  const taken = observation(readings);
  const key = { gateway: 'gw-000123', stream: 'pmu', epoch: 1_800_000_000, sequence: 1, count: 1 };
  return ratePerSecond(readings, () => encodePack(key, [encodeRecords(taken)]));
}

export const benches: readonly Bench[] = [
  { name: 'store.append.1', unit: 'readings/s', run: () => appendRate(1) },
  { name: 'store.append.10', unit: 'readings/s', run: () => appendRate(10) },
  { name: 'senml.encode', unit: 'readings/s', run: () => encodeRate(10) },
];
