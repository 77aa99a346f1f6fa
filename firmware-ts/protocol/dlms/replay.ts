import { toHex } from '#bytes/hex.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Deciphered } from './ciphering.ts';

/** One meter has one system title and two keys; a bus or a concentrator has some hundred meters. */
const COUNTERS_MAX = 1024;

/**
 * Knows a message that was sent before by its invocation counter, which a sender raises with every
 * use of a key (IEC 62056-5-3, 5.3.3.7.3). Only verified messages count: others prove nothing, and
 * must not push the counter out of the meter's reach.
 *
 * It remembers as long as its connection is up. Counters that outlive that belong to the
 * invocation-counter service, which keeps them on disk.
 */
export class ReplayGuard {
  readonly #highest = new Map<string, number>();

  /** Errors: `replayed` when a verified message's counter is not above all before. */
  admit(message: Omit<Deciphered, 'plaintext'>, dedicated = false): void {
    if (!message.verified) return;
    const { invocationCounter } = message;
    const stream = streamOf(message, dedicated);
    const highest = this.#highest.get(stream) ?? -1;
    if (invocationCounter <= highest) throw replayed(invocationCounter, highest);
    this.#highest.delete(stream);
    this.#highest.set(stream, invocationCounter);
    const [eldest] = this.#highest.keys();
    if (this.#highest.size > COUNTERS_MAX && eldest !== undefined) this.#highest.delete(eldest);
  }
}

/** Each key of a meter has a counter of its own. */
function streamOf(
  { systemTitle, securityControl }: Omit<Deciphered, 'plaintext'>,
  dedicated: boolean,
): string {
  const key = dedicated ? 'dedicated' : securityControl.broadcastKey ? 'broadcast' : 'unicast';
  return `${toHex(systemTitle)} ${key}`;
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
