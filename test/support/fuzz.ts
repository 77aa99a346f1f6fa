/** What fast-check runs unless told otherwise. */
const USUAL_RUNS = 100;

/**
 * How often to run a property that is not run the usual hundred times; in a nightly campaign more,
 * in proportion.
 */
export function runsOf(usual: number): number {
  const asked = Number(process.env['FUZZ_RUNS'] ?? USUAL_RUNS);
  return Math.ceil((usual * asked) / USUAL_RUNS);
}
