import type { Link } from '#link/link.ts';
import type { Clock } from '#system/clock.ts';
import type { Between } from './around.ts';
import { around } from './around.ts';

/** Start bit, eight data bits, stop bit. */
const BITS_PER_OCTET = 10;
/** Octets come one by one on a line; so many at a time are as good, and cost fewer timers. */
const SLICE_MS = 20;

/** The link as slow as a line of `baud` bits per second: each way by itself, octet behind octet. */
export function throttled(link: Link, baud: number, clock: Clock): Link {
  return around(link, () => throttledBetween(baud, clock));
}

function throttledBetween(baud: number, clock: Clock): Between {
  const [out, back] = [new Way(baud, clock), new Way(baud, clock)];
  return {
    send: (bytes, on) => out.take(bytes, on),
    receive: (bytes, on) => back.take(bytes, on),
    end() {
      out.end();
      back.end();
    },
  };
}

/** One direction of a line. */
class Way {
  readonly #octetMs: number;
  readonly #sliceBytes: number;
  readonly #clock: Clock;
  readonly #waiting: { readonly bytes: Uint8Array; readonly on: (bytes: Uint8Array) => void }[] =
    [];
  /** When the octet on the line is over. */
  #quietAt = 0;
  #cancel: (() => void) | undefined;

  constructor(baud: number, clock: Clock) {
    this.#octetMs = (BITS_PER_OCTET * 1000) / baud;
    this.#sliceBytes = Math.max(1, Math.floor(SLICE_MS / this.#octetMs));
    this.#clock = clock;
  }

  take(bytes: Uint8Array, on: (bytes: Uint8Array) => void): void {
    for (let from = 0; from < bytes.length; from += this.#sliceBytes) {
      this.#waiting.push({ bytes: bytes.slice(from, from + this.#sliceBytes), on });
    }
    if (this.#cancel !== undefined) return;
    this.#quietAt = Math.max(this.#quietAt, this.#clock.monotonic());
    this.#next();
  }

  end(): void {
    this.#cancel?.();
    this.#waiting.length = 0;
  }

  #next(): void {
    this.#cancel = undefined;
    const first = this.#waiting.shift();
    if (first === undefined) return;
    // By when it is due, not by when the timer comes: the line knows no late timers.
    this.#quietAt += first.bytes.length * this.#octetMs;
    const waitMs = Math.max(0, this.#quietAt - this.#clock.monotonic());
    this.#cancel = this.#clock.after(waitMs, () => {
      first.on(first.bytes);
      this.#next();
    });
  }
}
