/**
 * What is too long for every commit: the properties with many more runs, the store killed many more
 * times, a hundred years of a simulated gateway's life. Each campaign is bounded in time, and first
 * says what repeats it, the seed too.
 *
 *   npm run nightly                         all campaigns
 *   npm run nightly -- kills                those whose name holds the word
 *
 * `FUZZ_RUNS` (runs of a property), `NORMD_MUTATIONS`, `NORMD_KILLS`, `NORMD_CRASH_STATES`,
 * `NORMD_LIVES`, `NORMD_LIFE_YEARS` and `NORMD_SEED` change what they name. A crash state that
 * breaks the contract is kept, and the failure says the command that tries it alone.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runSuite } from '../support/suite.ts';

interface Campaign {
  readonly name: string;
  /** Below test/, as a glob; of these the files that hold `mark`. */
  readonly files: string;
  readonly mark: string;
  /** For all of it; a test that has not ended by then has failed. */
  readonly timeLimitMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

const MINUTE_MS = 60_000;
const TEST = join(import.meta.dirname, '..');
/** Sets the runs, the seed and the time limit of every property. */
const FUZZ = join(TEST, 'nightly/fuzz.ts');

const seed = process.env['NORMD_SEED'] ?? String(Date.now() % 1_000_000);
const CAMPAIGNS: readonly Campaign[] = [
  {
    name: 'properties',
    files: '{property,unit,vectors}/*.test.ts',
    mark: "from 'fast-check'",
    timeLimitMs: 40 * MINUTE_MS,
    environment: { FUZZ_RUNS: process.env['FUZZ_RUNS'] ?? '1000' },
  },
  {
    name: 'mutations',
    files: 'property/*.test.ts',
    mark: 'NORMD_MUTATIONS',
    timeLimitMs: 60 * MINUTE_MS,
    environment: { NORMD_MUTATIONS: process.env['NORMD_MUTATIONS'] ?? '10000000' },
  },
  {
    name: 'kills',
    files: 'scenario/*.test.ts',
    mark: 'NORMD_KILLS',
    timeLimitMs: 20 * MINUTE_MS,
    environment: { NORMD_KILLS: process.env['NORMD_KILLS'] ?? '300' },
  },
  {
    name: 'power-cuts',
    files: 'crash/*.test.ts',
    mark: 'NORMD_CRASH_STATES',
    timeLimitMs: 60 * MINUTE_MS,
    environment: { NORMD_CRASH_STATES: process.env['NORMD_CRASH_STATES'] ?? '12000' },
  },
  {
    name: 'lives',
    files: 'scenario/*.test.ts',
    mark: 'NORMD_LIVES',
    timeLimitMs: 240 * MINUTE_MS,
    environment: {
      NORMD_LIVES: process.env['NORMD_LIVES'] ?? '100',
      NORMD_LIFE_YEARS: process.env['NORMD_LIFE_YEARS'] ?? '1',
    },
  },
];

function filesOf({ files, mark }: Campaign): readonly string[] {
  return globSync(files, { cwd: TEST })
    .map((file) => join(TEST, file))
    .filter((file) => readFileSync(file, 'utf8').includes(mark));
}

const words = process.argv.slice(2);
const chosen = CAMPAIGNS.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
);
const total = { passed: 0, failed: 0 };
for (const campaign of chosen) {
  const { name, timeLimitMs, environment } = campaign;
  const settings = { ...environment, NORMD_SEED: seed };
  Object.assign(process.env, settings);
  const shown = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  console.log(`== ${name}: to repeat it, ${shown.join(' ')} npm run nightly -- ${name}`);
  const { passed, failed } = await runSuite({
    files: filesOf(campaign),
    testTimeoutMs: timeLimitMs,
    timeLimitMs,
    strict: process.env['CI'] === 'true',
    execArgv: ['--import', FUZZ],
  });
  total.passed += passed;
  total.failed += failed;
}
console.log(`${total.passed} passed, ${total.failed} failed, seed ${seed}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
