/** One number that `npm run bench` reports; files `*.bench.ts` export `benches`. */
export interface Bench {
  /** Dotted, stable: `c37118.decode.52B`. */
  readonly name: string;
  readonly unit: string;
  /** Measures once; the harness repeats and reports the median. */
  run(): number | Promise<number>;
}

/** Several numbers that come of one run; files `*.bench.ts` export `studies` of them. */
export interface Study {
  /** By the number's name, dotted and stable. */
  readonly units: Readonly<Record<string, string>>;
  /** How often the harness repeats it. */
  readonly runs: number;
  /** A number that could not be measured is left out. */
  run(): Promise<Readonly<Record<string, number>>>;
  /** What there is to say of the runs, such as why a number was left out. */
  notes?(): readonly string[];
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
