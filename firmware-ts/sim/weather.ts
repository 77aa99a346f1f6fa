import type { Entropy } from '#system/entropy.ts';

/** What one direction of a way does to what is on it; nothing that is left out. */
export interface Weather {
  readonly delayMs?: number;
  /** A segment takes up to so much longer; none overtakes another. */
  readonly jitterMs?: number;
  /** Of so many segments one is lost: it and all behind it wait until it has been sent again. */
  readonly loss?: number;
  readonly bytesPerSecond?: number;
  /** Nothing arrives, no end either; it is taken and arrives afterwards. */
  readonly stalled?: boolean;
  /** Who dies takes what is on its way along, as in a power cut. */
  readonly fatal?: boolean;
}

/** The retransmission of a short way (RFC 6298, 2.4, with Linux's 200 ms), and of a longer one. */
const RETRANSMISSION_MS = 200;
const RETRANSMISSION_WAYS = 2;

/** When what one direction carries arrives, from one seed; never before what was sent earlier. */
export class Arrivals {
  readonly #entropy: Pick<Entropy, 'fraction'>;
  #lineFreeMs = 0;
  #lastMs = 0;

  constructor(entropy: Pick<Entropy, 'fraction'>) {
    this.#entropy = entropy;
  }

  /** When `bytes` that are sent at `nowMs` arrive. */
  of(bytes: number, nowMs: number, weather: Weather): number {
    const { delayMs = 0, jitterMs = 0, loss = 0, bytesPerSecond = Infinity } = weather;
    this.#lineFreeMs = Math.max(this.#lineFreeMs, nowMs) + (1000 * bytes) / bytesPerSecond;
    const lost = this.#entropy.fraction() < loss;
    const again = lost ? Math.max(RETRANSMISSION_MS, RETRANSMISSION_WAYS * delayMs) : 0;
    const jitter = jitterMs * this.#entropy.fraction();
    this.#lastMs = Math.max(this.#lastMs, this.#lineFreeMs + delayMs + jitter + again);
    return this.#lastMs;
  }
}
