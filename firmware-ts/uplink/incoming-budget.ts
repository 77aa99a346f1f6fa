const PUBACK = 4;
/** What a packet costs, and each further so many bytes of it. */
const UNIT_BYTES = 256;
/** At once: eight receipts of the largest sort, or thirty milliseconds of the smallest packets. */
const UNITS_MAX = 8192;
/** In the long run: two such receipts a second, or one per cent of a slow processor. */
const UNITS_PER_S = 512;

/**
 * How much a broker may send that we have not asked for: few large packets or many small ones. The
 * answer to a message of ours costs nothing, as fast as they go.
 */
export class IncomingBudget {
  #units = UNITS_MAX;
  #filledMs: number | undefined;
  #owed = 0;

  /** A message has been sent, which the broker answers. */
  asked(): void {
    this.#owed += 1;
  }

  /** A packet begins, at `nowMs` by a monotonic clock; `false` where it is one too many. */
  takes(type: number, bytes: number, nowMs: number): boolean {
    this.#fill(nowMs);
    const isAnswer = type === PUBACK && this.#owed > 0;
    if (isAnswer) this.#owed -= 1;
    this.#units -= Math.ceil(bytes / UNIT_BYTES) - (isAnswer ? 1 : 0);
    return this.#units >= 0;
  }

  #fill(nowMs: number): void {
    const passedMs = nowMs - (this.#filledMs ?? nowMs);
    this.#units = Math.min(UNITS_MAX, this.#units + (passedMs * UNITS_PER_S) / 1000);
    this.#filledMs = nowMs;
  }
}
