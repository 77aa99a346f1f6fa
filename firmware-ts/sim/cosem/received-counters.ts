import { OperatingError } from '#bytes/failure.ts';
import type { CounterGate } from '#protocol/dlms/replay.ts';
import { METER_KEYS_MAX } from '#protocol/dlms/replay.ts';

/**
 * The counters that a simulated meter has seen of one client. They outlive associations and
 * connections, as they do in a meter.
 */
export class ReceivedCounters implements CounterGate {
  readonly #wanted = new Map<string, number>();
  #leap: number;
  #last = 0;

  /** With a leap the meter once wants to see a counter by so much higher than what comes. */
  constructor(leap = 0) {
    this.#leap = leap;
  }

  /** What is wanted at least, of the key that was used last. */
  get wanted(): number {
    return this.#last;
  }

  admit(meterKey: string, invocationCounter: number): void {
    const wanted = Math.max(this.#wanted.get(meterKey) ?? 0, this.#leaptFrom(invocationCounter));
    const refused = invocationCounter < wanted;
    this.#last = refused ? wanted : invocationCounter + 1;
    this.#wanted.delete(meterKey);
    this.#wanted.set(meterKey, this.#last);
    const [eldest] = this.#wanted.keys();
    if (this.#wanted.size > METER_KEYS_MAX && eldest !== undefined) this.#wanted.delete(eldest);
    if (!refused) return;
    const message = `invocation counter ${invocationCounter}, wanted ${wanted}`;
    throw new OperatingError('replayed', message, { field: 'invocation-counter' });
  }

  /** With a new key counters begin anew. */
  forget(): void {
    this.#wanted.clear();
    this.#last = 0;
  }

  #leaptFrom(invocationCounter: number): number {
    const leap = this.#leap;
    this.#leap = 0;
    return leap === 0 ? 0 : invocationCounter + leap;
  }
}
