/** Steps between a value and its double: a percentile is at most 5 % too large. */
const STEPS_PER_DOUBLING = 16;
const LEAST = 0.01;
/** From a hundredth to about 10^10: milliseconds from 10 µs to four months. */
const BUCKETS = 40 * STEPS_PER_DOUBLING;

/**
 * How often which magnitude occurred, in a fixed 5 KiB however long it runs: what percentiles of
 * a life need. Values below the least bucket, also negative ones, count as the least.
 */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  get count(): number {
    return this.#total;
  }

  record(value: number): void {
    const step = Math.ceil(Math.log2(Math.max(value, LEAST) / LEAST) * STEPS_PER_DOUBLING);
    const bucket = Math.min(BUCKETS - 1, step);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** The value that `share` (0 to 1) of all values do not exceed; `undefined` while empty. */
  percentile(share: number): number | undefined {
    let left = Math.max(1, Math.ceil(share * this.#total));
    for (let bucket = 0; bucket < BUCKETS && this.#total > 0; bucket += 1) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return LEAST * 2 ** (bucket / STEPS_PER_DOUBLING);
    }
    return undefined;
  }
}
