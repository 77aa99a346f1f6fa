/**
 * Runs every *.bench.ts (or those whose path holds one of the words given) and prints medians and
 * which marks hold: a table for people, `--json` one object for programs. Numbers hold for the
 * machine named, under the load named. A mark that falls short is no failure of the run.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Study } from './bench.ts';
import { headLine, judged, line, machineNow, markLines, type Result, resultOf } from './report.ts';

const RUNS = 5;

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

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const json = process.argv.includes('--json');
const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

const machine = machineNow();
if (!json) console.log(headLine(machine));

const results: Result[] = [];
const notes: string[] = [];
for (const file of files) {
  const module = (await import(join(import.meta.dirname, file))) as Benches;
  for (const bench of module.benches ?? []) report([await measure(bench)]);
  for (const study of module.studies ?? []) {
    report(await conduct(study));
    for (const note of study.notes?.() ?? []) tell(note);
  }
}
const marks = judged(results);
const loadAfter = machineNow().load;
if (json) {
  console.log(
    JSON.stringify({ machine: { ...machine, loadAfter }, marks, results, notes }, null, 2),
  );
} else if (marks.length > 0) for (const text of markLines(marks)) console.log(text);

function report(found: readonly Result[]): void {
  results.push(...found);
  if (!json) for (const result of found) console.log(line(result));
}

function tell(note: string): void {
  notes.push(note);
  if (!json) console.log(note);
}
