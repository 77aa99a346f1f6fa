import { OperatingError } from '#bytes/failure.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { CounterLedger } from './counter-ledger.ts';
import { counterName } from './counter-ledger.ts';

/** Some hundred requests for one fsync; a death skips as many of 2^32. */
const RESERVED_COUNT = 1024;
/** More than one request takes: every block of a long answer is asked for with a number. */
const REMAINING_MIN = 512;
/** Further than any client got that used the key meanwhile: 16 million requests. */
const LEAP_MAX = 2 ** 24;

/**
 * The counters of one ledger, one for each system title and key: sources that read one meter, or
 * meters that share a key, take their numbers in the order in which they send.
 */
export class ReservedCounters {
  readonly #ledger: CounterLedger;
  readonly #counters = new Map<string, ReservedCounter>();

  constructor(ledger: CounterLedger) {
    this.#ledger = ledger;
  }

  of(systemTitle: Uint8Array, key: Uint8Array): ReservedCounter {
    const name = counterName(systemTitle, key);
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const counter = new ReservedCounter(this.#ledger, name);
    this.#counters.set(name, counter);
    return counter;
  }
}

/** A counter whose numbers are durable in the ledger before they can be taken. */
export class ReservedCounter implements InvocationCounters {
  readonly #ledger: CounterLedger;
  readonly #name: string;
  readonly #counter = new InvocationCounter();

  constructor(ledger: CounterLedger, name: string) {
    this.#ledger = ledger;
    this.#name = name;
  }

  /** Whether it is known how far the key was used. */
  get isKnown(): boolean {
    return this.#ledger.reservedUntil(this.#name) !== undefined;
  }

  /** The number that is taken next, as far as it is known. */
  get upcoming(): number | undefined {
    const until = this.#ledger.reservedUntil(this.#name);
    return until === undefined ? undefined : until - this.#counter.remaining;
  }

  /** Errors: `counter-exhausted`, `counter-unreserved`. */
  next(): number {
    return this.#counter.next();
  }

  /** Makes sure of numbers for one request more. Errors: those of `CounterLedger.reserve`. */
  async provide(): Promise<void> {
    if (this.#counter.remaining >= REMAINING_MIN) return;
    this.#counter.grant(await this.#ledger.reserve(this.#name, RESERVED_COUNT));
  }

  /**
   * Goes on from `atLeast`, what the meter wants to see; numbers in hand are given up. Errors:
   * `counter-leap` where it is too far to be believed, those of `CounterLedger.reserve`.
   */
  async raise(atLeast: number): Promise<void> {
    const known = this.#ledger.reservedUntil(this.#name);
    if (known !== undefined && atLeast - known > LEAP_MAX) throw leap(known, atLeast);
    const from = known === undefined ? atLeast : Math.max(atLeast, known + 1);
    this.#counter.grant(await this.#ledger.reserve(this.#name, RESERVED_COUNT, from));
  }
}

/** What a meter says in clear anybody can say, and a leap uses up numbers for good. */
function leap(known: number, atLeast: number): OperatingError {
  const message = `the meter wants the counter ${atLeast}, we are at ${known}`;
  return new OperatingError('counter-leap', message, {
    field: 'invocation-counter',
    hint: 'if another client really used this key so often, say so with beginAt',
  });
}
