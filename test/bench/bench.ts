/** One number that `npm run bench` reports; files `*.bench.ts` export `benches`. */
export interface Bench {
  /** Dotted, stable: `c37118.decode.52B`. */
  readonly name: string;
  readonly unit: string;
  /** Measures once; the harness repeats and reports the median. */
  run(): number | Promise<number>;
}

/** Iterations per second of `work`, which does `count` of them, over about `seconds`. */
export function ratePerSecond(count: number, work: () => void, seconds = 0.5): number {
  work();
  const start = performance.now();
  let done = 0;
  let elapsedMs: number;
  do {
    work();
    done += count;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < seconds * 1000);
  return (done * 1000) / elapsedMs;
}
