/**
 * Runs the suite: every *.test.ts below test/, or those whose path holds one of the words given.
 * The last line is the plain total `N passed, N failed`. With CI=true a skipped test has failed:
 * nothing may count as proven that was not run.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runSuite } from './support/suite.ts';

const ROOT = join(import.meta.dirname, '..');
/** No measure of speed: a test that waits for what never comes must not hold up the rest. */
const TEST_TIMEOUT_MS = 120_000;

const words = process.argv.slice(2);
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join(ROOT, 'test', file))
  .sort();

const strict = process.env['CI'] === 'true';
const { passed, failed, skipped } = await runSuite({
  files,
  testTimeoutMs: TEST_TIMEOUT_MS,
  strict,
});
const nothing = passed + failed === 0;
if (nothing) console.log(`no test ran (${files.length} files match)`);
process.exitCode = failed > 0 || nothing ? 1 : 0;
if (skipped.length > 0) console.log(`${skipped.length} skipped, for the reasons above`);
console.log(`${passed} passed, ${failed} failed`);
