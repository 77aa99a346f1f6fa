import { OperatingError } from '#bytes/failure.ts';

/** One meter has one system title and two keys; a bus or a concentrator has some hundred meters. */
export const METER_KEYS_MAX = 1024;

/** Lets a verified message in, or refuses it for its invocation counter. */
export interface CounterGate {
  /** `meterKey` names a meter and one of its keys. Errors: `replayed`. */
  admit(meterKey: string, invocationCounter: number): void;
}

/**
 * Knows a message that was sent before by its invocation counter, which a sender raises with every
 * use of a key (IEC 62056-5-3, 5.3.3.7.3). Only verified messages count: others prove nothing, and
 * must not push the counter out of the meter's reach.
 *
 * It remembers as long as its connection is up. Counters that outlive that belong to the
 * invocation-counter service, which keeps them on disk.
 */
export class ReplayGuard implements CounterGate {
  readonly #highest = new Map<string, number>();

  /** Errors: `replayed` when the counter of a verified message is not above all before. */
  admit(meterKey: string, invocationCounter: number): void {
    const highest = this.#highest.get(meterKey) ?? -1;
    if (invocationCounter <= highest) throw replayed(invocationCounter, highest);
    this.#highest.delete(meterKey);
    this.#highest.set(meterKey, invocationCounter);
    const [eldest] = this.#highest.keys();
    if (this.#highest.size > METER_KEYS_MAX && eldest !== undefined) this.#highest.delete(eldest);
  }
}

function replayed(invocationCounter: number, highest: number): OperatingError {
  return new OperatingError(
    'replayed',
    `invocation counter ${invocationCounter} after ${highest}`,
    {
      field: 'invocation-counter',
      hint: 'someone sends recorded messages, or the meter was replaced: open the link anew',
    },
  );
}
