/** Below this, latency is the link's own and waiting for single answers would only idle it. */
const PLACES_MIN = 4;
/** Above this nothing gets faster: 4 MiB in flight fill 300 Mbit/s over 100 ms. */
const PLACES_MAX = 1024;
/** As TCP begins (RFC 6928): most outboxes hold less. */
const PLACES_FIRST = 10;
/** Bytes in flight for each place. */
export const PLACE_BYTES = 4096;
/** A pack is held in memory by every hop, and its loss repeats it whole. */
const PACK_BYTES_MAX = 32 * 1024;
/** Places after each round trip without a queue, once the first queue has been met. */
const GROWTH = 4;
/** By its own share, where nothing of the way was seen: what this does shows two turns later. */
const GROWTH_UNSEEN = 0.5;
/** By how much it shrinks: the more, the longer the queue is. */
const DECREASE_LEAST = 0.7;
const DECREASE_MOST = 0.25;
/** What may wait on the way: enough to keep a link busy, too little to delay a command. */
const QUEUE_MS = 50;
/** The same for links on which one message alone takes longer than that. */
const QUEUE_SHARE = 0.5;
/** The least latency is measured anew so often, with one message in flight: routes change. */
const MEASURE_INTERVAL_MS = 60_000;
/** Places that only urgent messages may take. */
const URGENT_PLACES = 4;

/** A message on its way. */
export interface Flying {
  readonly bytes: number;
  readonly sentMs: number;
}

/**
 * Beginning: doubles each round trip until a queue is met. Steady: additive increase,
 * multiplicative decrease. Draining and measuring: the two round trips with a single place, the
 * first for what was in flight before.
 */
type Phase = 'beginning' | 'steady' | 'draining' | 'measuring';

/**
 * How much may wait for a broker's answers. Grows while answers come as fast as the fastest, and
 * shrinks as soon as they clearly do not: then what is in flight stands in a queue somewhere, and
 * an alarm would stand behind it. A round ends when a message that was sent in it is answered.
 * How long an answer lay unseen (`Attention`) says nothing of the way. A process that comes late to
 * all of its answers sends but one window a turn, and widens it until some of them have not come
 * by the next turn. Times are monotonic milliseconds.
 */
export class SendWindow {
  readonly #receiveMaximum: number;
  readonly #reserved: number;
  #phase: Phase = 'beginning';
  #places = PLACES_FIRST;
  #messages = 0;
  #bytes = 0;
  #leastMs = Infinity;
  #measuredMs: number | undefined;
  #roundBeganMs = -Infinity;
  #roundLeastMs = Infinity;
  /** The same without what may have passed until the answer was seen. */
  #roundLeastOnWayMs = Infinity;
  #roundUsed = false;
  #roundOverQuota = false;

  /** `receiveMaximum` is the broker's (MQTT 5, 3.2.2.3.3); it binds urgent messages, too. */
  constructor(receiveMaximum: number) {
    this.#receiveMaximum = receiveMaximum;
    this.#reserved = Math.min(URGENT_PLACES, Math.floor(receiveMaximum / 4));
  }

  /** Messages that may be in flight now, urgent ones apart. */
  get size(): number {
    return Math.min(Math.floor(this.#open), this.#receiveMaximum - this.#reserved);
  }

  /** Messages in flight. */
  get inFlight(): number {
    return this.#messages;
  }

  /** Largest pack to make now: a quarter of what may be in flight. */
  get packBytesMax(): number {
    return Math.min(PACK_BYTES_MAX, Math.floor((this.#places * PLACE_BYTES) / 4));
  }

  /** Whether one more may be sent. */
  hasPlace(urgent: boolean): boolean {
    const limit = urgent ? this.size + this.#reserved : this.size;
    const bytesMax = this.#open * PLACE_BYTES * (urgent ? 2 : 1);
    return this.#messages < limit && this.#bytes < bytesMax;
  }

  sent(bytes: number, nowMs: number): Flying {
    this.#measuredMs ??= nowMs;
    this.#messages += 1;
    this.#bytes += bytes;
    const half = this.#places / 2;
    this.#roundUsed ||= this.#messages >= half || this.#bytes >= half * PLACE_BYTES;
    return { bytes, sentMs: nowMs };
  }

  /** `overQuota`: the broker refuses to take so much, which says more than any latency. */
  answered({ bytes, sentMs }: Flying, nowMs: number, overQuota = false, unseenMs = 0): void {
    const latencyMs = nowMs - sentMs;
    this.#messages -= 1;
    this.#bytes -= bytes;
    this.#roundLeastMs = Math.min(this.#roundLeastMs, latencyMs);
    this.#roundLeastOnWayMs = Math.min(this.#roundLeastOnWayMs, latencyMs - unseenMs);
    this.#roundOverQuota ||= overQuota;
    if (sentMs < this.#roundBeganMs) return;
    this.#endRound(nowMs);
    this.#roundBeganMs = nowMs;
    this.#roundLeastMs = Infinity;
    this.#roundLeastOnWayMs = Infinity;
    this.#roundUsed = false;
    this.#roundOverQuota = false;
  }

  get #open(): number {
    return this.#phase === 'draining' || this.#phase === 'measuring' ? 1 : this.#places;
  }

  #endRound(nowMs: number): void {
    const leastMs = this.#roundLeastMs;
    const late = this.#roundLeastOnWayMs < leastMs;
    if (this.#phase === 'draining') this.#phase = 'measuring';
    else if (this.#phase === 'measuring') {
      this.#leastMs = late ? Math.min(this.#leastMs, leastMs) : leastMs;
      this.#phase = 'steady';
    } else {
      this.#leastMs = Math.min(this.#leastMs, leastMs);
      this.#adapt(this.#roundLeastOnWayMs);
      this.#measureAgain(nowMs);
    }
  }

  #adapt(leastMs: number): void {
    const wantedMs = this.#leastMs + Math.max(QUEUE_MS, this.#leastMs * QUEUE_SHARE);
    if (this.#roundOverQuota || leastMs > wantedMs) {
      this.#phase = 'steady';
      const decrease = Math.min(DECREASE_LEAST, Math.max(DECREASE_MOST, wantedMs / leastMs));
      this.#places = Math.max(PLACES_MIN, this.#places * decrease);
    } else if (this.#roundUsed) {
      const unseen = leastMs <= 0 ? this.#places * GROWTH_UNSEEN : 0;
      const growth = this.#phase === 'beginning' ? this.#places : Math.max(GROWTH, unseen);
      this.#places = Math.min(PLACES_MAX, this.#places + growth);
    }
  }

  #measureAgain(nowMs: number): void {
    if (nowMs - (this.#measuredMs ?? nowMs) < MEASURE_INTERVAL_MS) return;
    this.#measuredMs = nowMs;
    this.#phase = 'draining';
  }
}
