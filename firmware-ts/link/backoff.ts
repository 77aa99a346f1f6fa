import type { Entropy } from '#system/entropy.ts';

export interface BackoffLimits {
  /** Longest wait after the first failure. */
  readonly firstMs: number;
  /** Longest wait ever. */
  readonly capMs: number;
}

/**
 * A meter that was plugged in again is read within a second; one that is away for a week costs no
 * more than a try a minute.
 */
const BACKOFF_LIMITS: BackoffLimits = { firstMs: 1000, capMs: 60_000 };

/**
 * How long to wait before the next try: doubles with each failure up to the cap, and lies at
 * random in the upper half, so that a street of gateways does not return at one moment.
 */
export class Backoff {
  readonly #entropy: Pick<Entropy, 'fraction'>;
  readonly #limits: BackoffLimits;
  #ceilingMs: number;

  constructor(entropy: Pick<Entropy, 'fraction'>, limits: BackoffLimits = BACKOFF_LIMITS) {
    this.#entropy = entropy;
    this.#limits = limits;
    this.#ceilingMs = limits.firstMs;
  }

  /**
   * The wait after one more failure, in milliseconds. Where many fail at one moment, give over how
   * long they may spread: a first failure then waits anywhere up to that, and the next longer than
   * any of them.
   */
  next(spreadMs = 0): number {
    const ceilingMs = this.#ceilingMs;
    if (ceilingMs < spreadMs) {
      this.#ceilingMs = Math.min(spreadMs * 2, this.#limits.capMs);
      return spreadMs * this.#entropy.fraction();
    }
    this.#ceilingMs = Math.min(ceilingMs * 2, this.#limits.capMs);
    return (ceilingMs / 2) * (1 + this.#entropy.fraction());
  }

  /** After a success the next failure is a first one again. */
  reset(): void {
    this.#ceilingMs = this.#limits.firstMs;
  }
}
