import { OperatingError } from '#bytes/failure.ts';

/** A technician mistypes once or twice; whoever needs more is guessing. */
const WRONG_MAX = 5;

/**
 * Wrong passwords and proofs, one after another. Beyond the limit even the right one is refused,
 * so that nothing can be learned by trying; who keeps it decides for how long.
 */
export class Guesses {
  readonly #most: number;
  #wrong = 0;

  constructor(most = WRONG_MAX) {
    this.#most = most;
  }

  /** Errors: `too-many-attempts`. */
  admit(): void {
    if (this.#wrong < this.#most) return;
    throw new OperatingError('too-many-attempts', `${this.#wrong} wrong passwords or proofs`);
  }

  judged(right: boolean): void {
    this.#wrong = right ? 0 : this.#wrong + 1;
  }
}
