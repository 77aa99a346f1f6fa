import { hash } from 'node:crypto';
import { toHex } from '#bytes/hex.ts';
import { type Sha256, advanceAll, chainStart } from '#contract/chain.ts';
import { wrapPayload } from '#contract/envelope.ts';
import { encodeManifest } from '#contract/manifest.ts';
import { formsOfRecords } from '#contract/records.ts';
import { Verifier } from '#contract/verify.ts';
import { P1Connection } from '#protocol/p1/connection.ts';
import { observationFromP1 } from '#reading/from-p1.ts';
import { type EncodedRecords, encodePack, encodeRecords } from '#reading/senml.ts';
import { p1TelegramAt } from '#sim/p1-meter.ts';
import { machineZstd } from '#system/zstd.ts';
import { type Bench, ratePerSecond } from './bench.ts';

const KEY = { gateway: 'gw-000123', stream: 'meter', epoch: 1_800_000_000 };
/** Observations in a run of the outbox, and in a pack. */
const RUN = 100;

const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');

/** What a three-phase meter says in one push. */
function push(readings: number): EncodedRecords {
  return encodeRecords({
    source: 'meter',
    time: { second: 1_800_000_000, nanosecond: 0, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: Array.from({ length: readings }, (_, at) => {
      return { object: `1-0:${at + 1}.8.0*255`, raw: 12_345_678 + at, scaler: 0, unit: 'Wh' };
    }),
  });
}

function packOf(sequence: number, readings: number): Uint8Array {
  const entries = Array.from({ length: RUN }, () => push(readings));
  return encodePack({ ...KEY, sequence, count: RUN }, entries);
}

/** Observations a second that the gateway moves a chain over, from records as stored. */
function chainRate(readings: number, digest: Sha256): number {
  const run = Buffer.concat(Array.from({ length: RUN }, () => push(readings).records));
  return ratePerSecond(RUN, () => advanceAll(digest, chainStart(), 0, formsOfRecords(run)));
}

/** Observations a second that a receiver checks, a manifest after each ten packs. */
function verifyRate(): number {
  const verifier = new Verifier({ sha256, compression: machineZstd });
  const topic = `nd/1/${KEY.gateway}`;
  let sequence = 0;
  let chain = chainStart();
  const messages = Array.from({ length: 500 }, (_, at) => {
    const pack = packOf(sequence, 10);
    const run = Buffer.concat(Array.from({ length: RUN }, () => push(10).records));
    chain = advanceAll(sha256, chain, sequence, formsOfRecords(run));
    sequence += RUN;
    return { pack, manifest: at % 10 === 9 ? manifestAt(at, sequence - 1, chain) : undefined };
  });
  const start = performance.now();
  for (const { pack, manifest } of messages) {
    verifier.take(`${topic}/up/${KEY.stream}`, pack);
    if (manifest !== undefined) verifier.take(`${topic}/mf`, manifest);
  }
  const elapsedMs = performance.now() - start;
  if (!verifier.report().complete) throw new Error('not verified');
  return (sequence * 1000) / elapsedMs;
}

function manifestAt(number: number, through: number, chain: Uint8Array): Uint8Array {
  const { gateway, stream, epoch } = KEY;
  const state = { stream, class: 'measurement', epoch, through, chain: toHex(chain) } as const;
  const streams = [{ ...state, next: through + 1, gaps: [] }];
  const at = '2026-11-21T12:00:00Z';
  return Buffer.from(encodeManifest({ version: 1, gateway, at, number, streams }));
}

/** The chain without its hash: what splitting and copying cost. */
const noHash: Sha256 = (bytes) => bytes.subarray(0, 32);

/** A telegram of twenty readings each ten seconds, as the simulated P1 meter says it. */
function telegrams(count: number): readonly EncodedRecords[] {
  const arrival = { second: 0, nanosecond: 0, clock: 'gateway', trust: 'unknown' } as const;
  return Array.from({ length: count }, (_, at) => {
    const connection = new P1Connection({ badCheck: 'discard' });
    connection.start(0);
    const [event] = connection.receive(p1TelegramAt(1_800_000_000 + 10 * at, 10 * at), 0).events;
    if (event?.kind !== 'message') throw new Error('no telegram');
    return encodeRecords(observationFromP1('meter', event.message, arrival));
  });
}

/** What a reading of P1 takes of a payload that holds so many telegrams. */
function bytesPerReading(count: number, compressed: boolean): number {
  const entries = telegrams(count);
  const bare = encodePack({ ...KEY, sequence: 0, count }, entries);
  const readings = entries.reduce((sum, { recordCount }) => sum + recordCount, 0);
  return (compressed ? wrapPayload(bare, machineZstd) : bare).length / readings;
}

const BYTES = { unit: 'bytes/reading' } as const;

export const benches: readonly Bench[] = [
  { name: 'contract.bytes.bare', ...BYTES, run: () => bytesPerReading(1, false) },
  { name: 'contract.bytes.bare.10', ...BYTES, run: () => bytesPerReading(10, false) },
  { name: 'contract.bytes.zstd', ...BYTES, run: () => bytesPerReading(1, true) },
  { name: 'contract.bytes.zstd.10', ...BYTES, run: () => bytesPerReading(10, true) },
  { name: 'contract.split.10', unit: 'observations/s', run: () => chainRate(10, noHash) },
  { name: 'contract.chain.10', unit: 'observations/s', run: () => chainRate(10, sha256) },
  { name: 'contract.verify.10', unit: 'observations/s', run: () => verifyRate() },
  {
    name: 'contract.wrap.20',
    unit: 'payloads/s',
    run: () => {
      const pack = encodePack({ ...KEY, sequence: 0, count: 1 }, [push(20)]);
      return ratePerSecond(1, () => wrapPayload(pack, machineZstd));
    },
  },
];
