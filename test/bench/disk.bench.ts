import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIoLog } from '../crash/io-log.ts';
import { recorded } from '../crash/recorder.ts';
import { runOnSlowDisk } from '../crash/slow-disk.ts';
import type { Bench, Study } from './bench.ts';

const STEADY = join(import.meta.dirname, '../crash/steady.ts');

/** As of a hundred meters that push now and then: 100 messages/s of some 190 octets. */
const SECONDS = 10;
const PER_SECOND = 100;

interface Steady {
  readonly backend: 'online' | 'away';
  /** How long commits wait for others. */
  readonly delayMs: number;
  /** Meters from which the messages come by turns. */
  readonly streams: number;
}

/**
 * Bytes that the store asks the disk to write for each byte of a message, to the file and to its
 * log: from the append until it is acknowledged and deleted, and in its place after the close.
 */
async function writtenPerByte({ backend, delayMs, streams }: Steady): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'normd-bench-'));
  const [watch, log] = [join(folder, 'watched'), join(folder, 'log')];
  mkdirSync(watch);
  const words = [join(watch, 'state'), SECONDS, PER_SECOND, backend, delayMs, streams].map(String);
  const child = spawn(process.execPath, [STEADY, ...words], {
    env: { ...process.env, ...recorded({ watch, log, withoutBytes: true, marks: 1 }) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`the load ended with ${String(status)}`);
  const events = readIoLog(readFileSync(log));
  rmSync(folder, { recursive: true });
  const from = events.findIndex(({ kind }) => kind === 'mark');
  const to = events.findLastIndex(({ kind }) => kind === 'mark');
  const end = events[to];
  const messageBytes = Number(end?.kind === 'mark' ? end.lines.at(-1)?.split(' ')[1] : NaN);
  const written = events
    .slice(from, to)
    .reduce((sum, event) => sum + (event.kind === 'write' ? event.length : 0), 0);
  return written / messageBytes;
}

const STEADY_LOADS: readonly Steady[] = [10, 100, 500, 1000].flatMap((delayMs) => [
  { backend: 'online', delayMs, streams: 1 },
  { backend: 'away', delayMs, streams: 1 },
  { backend: 'online', delayMs, streams: 10 },
]);

const nameOf = ({ backend, delayMs, streams }: Steady): string =>
  `store.written.${backend}.${delayMs}ms.${streams}`;

async function written(): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for (const steady of STEADY_LOADS) found[nameOf(steady)] = await writtenPerByte(steady);
  return found;
}

const SYNC_MS = 200;
const FRAMES = 250;

/** How late the daemon's event loop is while each fsync takes 200 ms; only here: a timing. */
async function loopDelay(quantile: number): Promise<number> {
  const { delaysMs } = await runOnSlowDisk(SYNC_MS, FRAMES);
  return delaysMs[Math.floor((delaysMs.length - 1) * quantile)] ?? NaN;
}

export const benches: readonly Bench[] = [
  { name: 'loop.delay.p99.fsync200', unit: 'ms', run: () => loopDelay(0.99) },
];

/** Bytes are counted, not timed: once is enough. */
export const studies: readonly Study[] = [
  {
    runs: 1,
    units: Object.fromEntries(STEADY_LOADS.map((steady) => [nameOf(steady), 'B/B'])),
    run: written,
  },
];
