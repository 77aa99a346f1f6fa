/**
 * A simulated life: the gateway as it is composed, under a virtual clock, with scripted devices,
 * brokers, disks and deaths, all from one seed. Exit status 1 when the contract was broken.
 *
 *   npm run simulate -- --seed 7 --years 1 [--json]
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { live } from './life/life.ts';
import type { LifeReport } from './life/report.ts';

/** Memory, where the system has a file system for it: a year is some hundred thousand commits. */
const MEMORY = '/dev/shm';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    years: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
// Failures are told by their codes: where they were made costs more than all else.
Error.stackTraceLimit = 0;
const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'normd-life-'));
try {
  const beganMs = performance.now();
  const report = await live({ seed: Number(values.seed), years: Number(values.years), folder });
  const seconds = (performance.now() - beganMs) / 1000;
  console.log(values.json ? JSON.stringify({ ...report, seconds }) : shown(report, seconds));
  process.exitCode = report.breach === undefined ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

function shown({ breach, counts, ...report }: LifeReport, seconds: number): string {
  const lines = [
    ...Object.entries(counts).map(([kind, count]) => `${String(count).padStart(9)} ${kind}`),
    ...Object.entries(report).map(([name, value]) => `${name}: ${value}`),
    `${seconds.toFixed(1)} s`,
  ];
  if (breach === undefined) return [...lines, 'the contract held'].join('\n');
  const told = [...breach.last, `event ${breach.event}: ${breach.what}`];
  return [...lines, ...told, `seed ${report.seed} broke the contract`].join('\n');
}
