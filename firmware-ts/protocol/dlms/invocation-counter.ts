import { OperatingError } from '#bytes/failure.ts';

/** Where ciphering takes its invocation counters from: never twice the same under one key. */
export interface InvocationCounters {
  /** Errors: `counter-exhausted`, `counter-unreserved`. */
  next(): number;
}

/**
 * Invocation counters from `from` up to, and without, `until`. Whoever hands it out has made it
 * durable before, so that nobody is ever handed the same numbers again.
 */
export interface CounterReservation {
  readonly from: number;
  readonly until: number;
}

/** The counter has 32 bits and never wraps (IEC 62056-5-3, 5.3.3.7.3); the last is not used. */
export const INVOCATION_COUNTER_MAX = 0xffff_ffff;

/**
 * The counter of one key of one meter, as far as it is reserved. `grant` adds a reservation;
 * whoever talks to the meter keeps `remaining` above what the next request can take.
 */
export class InvocationCounter implements InvocationCounters {
  #next = 0;
  #until = 0;

  /** How many numbers can be taken before another reservation is needed. */
  get remaining(): number {
    return this.#until - this.#next;
  }

  /**
   * Numbers to go on with. Those in hand are given up where the reservation does not continue them:
   * the meter wants to see higher ones. None may begin below them.
   */
  grant({ from, until }: CounterReservation): void {
    if (from < this.#until || until < from) throw new RangeError(`${from} to ${until}`);
    if (from > this.#until) this.#next = from;
    this.#until = until;
  }

  next(): number {
    if (this.#next === this.#until) throw nothingLeft(this.#until);
    this.#next += 1;
    return this.#next - 1;
  }
}

function nothingLeft(until: number): OperatingError {
  if (until >= INVOCATION_COUNTER_MAX) return counterExhausted();
  return new OperatingError('counter-unreserved', 'no invocation counter is reserved', {
    field: 'invocation-counter',
  });
}

export function counterExhausted(): OperatingError {
  return new OperatingError('counter-exhausted', 'every invocation counter of this key was used', {
    field: 'invocation-counter',
    hint: 'give the meter a new key: the counter begins anew with it',
  });
}
