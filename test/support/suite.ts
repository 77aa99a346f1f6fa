import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface SuiteOptions {
  readonly files: readonly string[];
  readonly testTimeoutMs: number;
  /** A skipped test has failed: nothing may count as proven that was not run. */
  readonly strict: boolean;
  /** For the processes that the files run in. */
  readonly execArgv?: readonly string[];
  /** What has not ended by then has failed. */
  readonly timeLimitMs?: number;
}

export interface SuiteTotals {
  readonly passed: number;
  readonly failed: number;
  /** With their reasons; empty where `strict` made them failures. */
  readonly skipped: readonly string[];
}

const CONCURRENT_FILES = 2;

/** Runs test files, each in a process of its own, and prints what they say. */
export async function runSuite(options: SuiteOptions): Promise<SuiteTotals> {
  const { files, testTimeoutMs: timeout, strict, execArgv = [], timeLimitMs } = options;
  const total = { passed: 0, failed: 0 };
  const skips: string[] = [];
  const stream = run({
    files: [...files],
    concurrency: CONCURRENT_FILES,
    timeout,
    execArgv: [...execArgv],
    ...(timeLimitMs === undefined ? {} : { signal: AbortSignal.timeout(timeLimitMs) }),
  });
  stream.on('test:pass', ({ name, skip, details }) => {
    if (details.type === 'suite') return;
    if (skip === undefined) total.passed += 1;
    else skips.push(`${name}: ${String(skip)}`);
  });
  stream.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') total.failed += 1;
  });
  for await (const text of stream.compose(spec)) process.stdout.write(String(text));
  for (const line of skips) console.log(`${strict ? 'not run, so failed' : 'skipped'}: ${line}`);
  return strict
    ? { ...total, failed: total.failed + skips.length, skipped: [] }
    : { ...total, skipped: skips };
}
