const ANSWER_TIMEOUT_MS = 60_000;
/** A meter that is not there must not hold its line as long as one that looks for much to say. */
const ASSOCIATING_SHARE = 1 / 4;
/** 64 KiB at 300 Bd take 37 minutes; who dribbles for longer never ends. */
const ANSWER_WHOLE_MS = 40 * 60_000;

/** The wait for a whole answer: any sound prolongs it, up to an end. Moments in milliseconds. */
export class AnswerPatience {
  readonly #silenceMs: number;
  #share = 1;
  #deadline = Infinity;
  /** When even an answer that keeps coming has to be whole. */
  #wholeBy = Infinity;

  /** `silenceMs`: how long nothing may come. */
  constructor(silenceMs = ANSWER_TIMEOUT_MS) {
    this.#silenceMs = silenceMs;
  }

  /** `Infinity` while no answer is waited for. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Something was sent that the peer answers; less is allowed to who has not shown up yet. */
  asked(at: number, associating: boolean): void {
    this.#share = associating ? ASSOCIATING_SHARE : 1;
    this.#wholeBy = at + ANSWER_WHOLE_MS;
    this.#wait(at);
  }

  /** Silence is what is not waited for: a long answer takes minutes on a slow line. */
  heard(at: number): void {
    if (this.#deadline !== Infinity) this.#wait(at);
  }

  end(): void {
    this.#deadline = Infinity;
  }

  #wait(at: number): void {
    this.#deadline = Math.min(at + this.#silenceMs * this.#share, this.#wholeBy);
  }
}
