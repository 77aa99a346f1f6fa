import type { Clock } from '#system/clock.ts';

/** How often it looks: finer than any queue that the send window heeds. */
const LOOK_MS = 20;
/** A look that comes later than this was kept from it. */
const LATE_MS = 10;

/**
 * How promptly this process attends to what comes. A broker's answer that lies in the socket while
 * meters are read, or while others have the processor, does not say that the way is slow: who
 * measures the way allows for that. Times are monotonic milliseconds.
 */
export class Attention {
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
  #lookedMs = 0;
  #lookedBeforeMs = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'monotonic' | 'after'>) {
    this.#clock = clock;
  }

  /** For so long, at most, what is attended to now may have lain there; 0: it has come just now. */
  get unseenMs(): number {
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs > LOOK_MS + LATE_MS) return now - this.#lookedMs;
    const before = this.#lookedMs - this.#lookedBeforeMs;
    return before > LOOK_MS + LATE_MS ? now - this.#lookedBeforeMs : 0;
  }

  /** While something is awaited. */
  begin(): void {
    if (this.#cancel !== undefined) return;
    this.#lookedMs = this.#clock.monotonic();
    this.#look();
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    this.#lookedBeforeMs = this.#lookedMs;
    this.#lookedMs = this.#clock.monotonic();
    this.#cancel = this.#clock.after(LOOK_MS, () => this.#look());
  }
}
