/**
 * Runs every *.bench.ts (or those whose path holds one of the words given) and prints medians:
 * a table for people, `--json` one object for programs. Numbers hold for the machine named.
 */
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bench, Study } from './bench.ts';

const RUNS = 5;

interface Result {
  readonly name: string;
  readonly unit: string;
  readonly runs: number;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** What a file of benches exports. */
interface Benches {
  readonly benches?: readonly Bench[];
  readonly studies?: readonly Study[];
}

async function measure(bench: Bench): Promise<Result> {
  const values: number[] = [];
  for (let count = 0; count < RUNS; count += 1) values.push(await bench.run());
  return resultOf(bench.name, bench.unit, values);
}

async function conduct(study: Study): Promise<readonly Result[]> {
  const found: Readonly<Record<string, number>>[] = [];
  for (let count = 0; count < study.runs; count += 1) found.push(await study.run());
  return Object.entries(study.units).map(([name, unit]) => {
    return resultOf(
      name,
      unit,
      found.map((numbers) => numbers[name] ?? NaN),
    );
  });
}

function resultOf(name: string, unit: string, values: readonly number[]): Result {
  const sorted = values.toSorted((a, b) => a - b);
  const runs = sorted.length;
  const [minimum = NaN, median = NaN, maximum = NaN] = [
    sorted[0],
    sorted[runs >> 1],
    sorted.at(-1),
  ];
  return { name, unit, runs, median, minimum, maximum };
}

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const json = process.argv.includes('--json');
const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  architecture: process.arch,
};
if (!json) console.log(`${machine.processor}, ${machine.cores} cores, Node ${machine.node}`);

const results: Result[] = [];
for (const file of files) {
  const module = (await import(join(import.meta.dirname, file))) as Benches;
  for (const bench of module.benches ?? []) report([await measure(bench)]);
  for (const study of module.studies ?? []) report(await conduct(study));
}
if (json) console.log(JSON.stringify({ machine, results }, null, 2));

function report(found: readonly Result[]): void {
  results.push(...found);
  if (!json) for (const result of found) console.log(line(result));
}

function line({ name, unit, median, minimum, maximum }: Result): string {
  const range = `${figure(minimum)} … ${figure(maximum)}`;
  return `${name.padEnd(40)} ${figure(median).padStart(12)} ${unit.padEnd(12)} (${range})`;
}

function figure(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
