import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '#control/client.ts';
import { buildBundle } from '../support/bundle.ts';
import type { Bench } from './bench.ts';

const SETTLE_MS = 2000;
const POLL_MS = 2;

const bundle = buildBundle();
process.once('exit', () => rmSync(dirname(bundle), { recursive: true }));

interface Idle {
  readonly startMs: number;
  readonly residentMiB: number;
  /** Of these the anonymous ones; the others are pages of files, most of Node's binary. */
  readonly ownMiB: number;
}

/** The bundled daemon with one listening source and a broker that is away. */
async function idle(settleMs: number): Promise<Idle> {
  const folder = mkdtempSync(join(tmpdir(), 'normd-bench-'));
  const socket = join(folder, 'control.sock');
  const file = join(folder, 'normd.yaml');
  const configuration = {
    gateway: 'bench',
    state: join(folder, 'state'),
    control: { socket },
    sources: [{ name: 'p1', protocol: 'p1', link: { kind: 'tcp-listen', port: 45_917 } }],
    backends: [{ name: 'away', url: 'mqtt://127.0.0.1:45918' }],
  };
  writeFileSync(file, JSON.stringify(configuration));
  const start = performance.now();
  const child = spawn(process.execPath, [join(bundle, 'normd.mjs'), '--config', file], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const serves = (): Promise<boolean> => askStatus(socket).then(Boolean, () => false);
  while (!(await serves())) await pause(POLL_MS);
  const startMs = performance.now() - start;
  await pause(settleMs);
  const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
  child.kill();
  await ended;
  rmSync(folder, { recursive: true });
  return { startMs, residentMiB: mebibytes(status, 'VmRSS'), ownMiB: mebibytes(status, 'RssAnon') };
}

/** A line of /proc/PID/status, which counts in kibibytes. */
function mebibytes(status: string, name: string): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

export const benches: readonly Bench[] = [
  { name: 'bundle.start', unit: 'ms', run: async () => (await idle(0)).startMs },
  { name: 'bundle.idleRss', unit: 'MiB', run: async () => (await idle(SETTLE_MS)).residentMiB },
  { name: 'bundle.idleOwn', unit: 'MiB', run: async () => (await idle(SETTLE_MS)).ownMiB },
];
