/**
 * Runs every *.bench.ts (or those whose path holds one of the words given) and prints medians:
 * a table for people, `--json` one object for programs. Numbers hold for the machine named.
 */
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

const RUNS = 5;

interface Result {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

async function measure(bench: Bench): Promise<Result> {
  const values: number[] = [];
  for (let count = 0; count < RUNS; count += 1) values.push(await bench.run());
  values.sort((a, b) => a - b);
  const [minimum = NaN, maximum = NaN] = [values[0], values.at(-1)];
  const { name, unit } = bench;
  return { name, unit, median: values[RUNS >> 1] ?? NaN, minimum, maximum };
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
  const module = (await import(join(import.meta.dirname, file))) as { benches: readonly Bench[] };
  for (const bench of module.benches) {
    const result = await measure(bench);
    results.push(result);
    if (!json) console.log(line(result));
  }
}
if (json) console.log(JSON.stringify({ machine, runs: RUNS, results }, null, 2));

function line({ name, unit, median, minimum, maximum }: Result): string {
  const range = `${figure(minimum)} … ${figure(maximum)}`;
  return `${name.padEnd(40)} ${figure(median).padStart(12)} ${unit.padEnd(12)} (${range})`;
}

function figure(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
