/** Loaded before a test file of a nightly campaign: how its properties are run. */
import fc from 'fast-check';

const runs = Number(process.env['FUZZ_RUNS'] ?? 100);
const seed = Number(process.env['NORMD_SEED'] ?? 0);
fc.configureGlobal({ numRuns: runs, seed });
