import { cpus, loadavg, totalmem } from 'node:os';
import { holds, MARKS, type Mark } from './marks.ts';

export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly runs: number;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** A mark and what was measured. */
export interface Judged extends Mark {
  readonly unit: string;
  readonly value: number;
  readonly holds: boolean;
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly architecture: string;
  /** Processes that wanted a core in the last minute: over `cores`, others were measured, too. */
  readonly load: number;
}

export function machineNow(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    architecture: process.arch,
    load: loadavg()[0] ?? NaN,
  };
}

export function resultOf(name: string, unit: string, values: readonly number[]): Result {
  const sorted = values.toSorted((a, b) => a - b);
  const runs = sorted.length;
  const [minimum = NaN, median = NaN, maximum = NaN] = [
    sorted[0],
    sorted[runs >> 1],
    sorted.at(-1),
  ];
  return { name, unit, runs, median, minimum, maximum };
}

/** The marks of what was measured, in the order of the promise. */
export function judged(results: readonly Result[]): readonly Judged[] {
  return MARKS.flatMap((mark) => {
    const result = results.find(({ name }) => name === mark.number);
    if (result === undefined) return [];
    const { median: value, unit } = result;
    return [{ ...mark, unit, value, holds: holds(mark, value) }];
  });
}

export function headLine({ processor, cores, node, load }: Machine): string {
  return `${processor}, ${cores} cores, Node ${node}, load ${figure(load)}`;
}

export function line({ name, unit, median, minimum, maximum }: Result): string {
  const range = `${figure(minimum)} … ${figure(maximum)}`;
  return `${name.padEnd(40)} ${figure(median).padStart(12)} ${unit.padEnd(12)} (${range})`;
}

/** A table of the marks, for people. */
export function markLines(marks: readonly Judged[]): readonly string[] {
  const held = marks.filter((mark) => mark.holds).length;
  return [
    '',
    `What is asked for: ${held} of ${marks.length} hold here`,
    ...marks.map(({ asks, relation, than, value, unit, holds: does }) => {
      const [asked, found] = [`${relation} ${figure(than)}`, figure(value)];
      const numbers = `${asked.padStart(9)} ${found.padStart(9)} ${unit.padEnd(11)}`;
      return `${asks.padEnd(68)} ${numbers} ${does ? 'holds' : 'FALLS SHORT'}`;
    }),
  ];
}

function figure(value: number): string {
  if (Number.isNaN(value)) return 'none';
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
