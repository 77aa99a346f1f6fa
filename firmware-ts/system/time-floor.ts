import type { TimeMark } from '#reading/reading.ts';

/**
 * A floor from a file holds so long. It may come from a clock that had leapt ahead, or a wrong
 * certificate, and must not keep a gateway whose clock is right offline for years.
 */
const LAPSE_MS = 86_400_000;

/** The times before which a wall clock is not believed. */
export class TimeFloors {
  readonly #buildSecond: number;
  readonly #raised: { readonly second: number; readonly untilMs: number }[] = [];

  constructor(buildSecond: number) {
    this.#buildSecond = buildSecond;
  }

  /**
   * It is `second` at the least, by what a file says; `nowMs` is of a monotonic clock. What a file
   * says again lapses when it would have.
   */
  raise(second: number, nowMs: number): void {
    if (this.#raised.some((floor) => floor.second === second)) return;
    this.#raised.push({ second, untilMs: nowMs + LAPSE_MS });
  }

  /**
   * What a wall clock is worth that says `second`. One that is synchronised knows better than a
   * file, but none is earlier than the software that reads it.
   */
  trustAt(second: number, synchronised: boolean, nowMs: number): TimeMark['trust'] {
    if (second < this.#buildSecond) return 'untrusted';
    if (synchronised) return 'trusted';
    const below = this.#raised.some((floor) => second < floor.second && nowMs < floor.untilMs);
    return below ? 'untrusted' : 'unknown';
  }
}

/** What is put on an observation instead of a time that is not believed. */
export function untrustedMark(monotonicMs: number): TimeMark {
  const second = Math.floor(monotonicMs / 1000);
  const millisecond = Math.floor(monotonicMs - second * 1000);
  return { second, nanosecond: millisecond * 1_000_000, clock: 'gateway', trust: 'untrusted' };
}
