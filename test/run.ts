/**
 * Runs the suite: every *.test.ts below test/, or those whose path holds one of the words given.
 * The last line is the plain total `N passed, N failed`. With CI=true a skipped test has failed:
 * nothing may count as proven that was not run.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const ROOT = join(import.meta.dirname, '..');
const CONCURRENT_FILES = 2;
/** No measure of speed: a test that waits for what never comes must not hold up the rest. */
const TEST_TIMEOUT_MS = 120_000;

const words = process.argv.slice(2);
const strict = process.env['CI'] === 'true';
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join(ROOT, 'test', file))
  .sort();

const total = { passed: 0, failed: 0, skipped: 0 };
const skips: string[] = [];
const stream = run({ files, concurrency: CONCURRENT_FILES, timeout: TEST_TIMEOUT_MS });

stream.on('test:pass', ({ name, skip, details }) => {
  if (details.type === 'suite') return;
  if (skip === undefined) total.passed += 1;
  else {
    total.skipped += 1;
    skips.push(`${name}: ${String(skip)}`);
  }
});
stream.on('test:fail', ({ details }) => {
  if (details.type !== 'suite') total.failed += 1;
});

const report = stream.compose(spec);
report.pipe(process.stdout);
report.on('end', () => {
  for (const line of skips) console.log(`${strict ? 'not run, so failed' : 'skipped'}: ${line}`);
  const failed = total.failed + (strict ? total.skipped : 0);
  const nothing = total.passed + total.failed === 0;
  if (nothing) console.log(`no test ran (${files.length} files match)`);
  const skipped = strict || total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
  process.exitCode = failed > 0 || nothing ? 1 : 0;
  console.log(`${total.passed} passed, ${failed} failed${skipped}`);
});
