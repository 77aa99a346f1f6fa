import type { DeliveryClass } from '#policy/delivery-class.ts';
import { codesThat } from './reason-codes.ts';

/**
 * A hang-up tells nothing by itself; three in a row over the same message do. After each message
 * found guilty it takes twice as many, until the broker takes one: one that hangs up over
 * everything is ill, and does not empty an outbox.
 */
const HANG_UPS_MAX = 3;

/** Refusals of a message for what it is: no time and no operator's quota mends them. */
const POISON: ReadonlySet<string> = new Set([
  ...codesThat(({ message }) => message === 'aside'),
  'unencodable', // no payload can be made of it
]);

/** Ends of a session that a broker which cannot read a message may answer it with. */
const HANG_UPS: ReadonlySet<string> = new Set([
  ...codesThat(({ session }) => session === 'doubt'),
  'connection-closed',
  'connection-reset',
  'protocol-violation',
  'broker-silent',
]);

/** `alone`: it is sent again in small, so that the next refusal is about one entry. */
export type Verdict = 'quarantine' | 'alone' | 'wait';

/** What happens to `entries` outbox entries that travelled together and were refused by `code`. */
export function verdictOnRefusal(code: string, entries: number): Verdict {
  if (!POISON.has(code)) return 'wait';
  return entries === 1 ? 'quarantine' : 'alone';
}

/** An entry of the outbox. */
export interface Suspect {
  readonly id: number;
  readonly of: DeliveryClass;
}

/** What was in flight when a session was lost. */
export interface Loss {
  /** The failure's code. */
  readonly code: string;
  /** The entry without an answer that was sent first. */
  readonly oldest: Suspect;
  /** Whether it was the only entry in flight. */
  readonly alone: boolean;
}

/**
 * Finds the entry over which a broker hangs up. What was in flight at a hang-up is sent again
 * beginning with its oldest entry alone; when the broker hangs up over it three times, it is
 * poison.
 */
export class HangUps {
  #suspect: Suspect | undefined;
  #times = 0;
  #needed = HANG_UPS_MAX;

  /** The entry to send alone, before anything else. */
  get suspect(): Suspect | undefined {
    return this.#suspect;
  }

  /** All of the suspect was answered, or it is gone. */
  dismiss(): void {
    this.#needed = HANG_UPS_MAX;
    this.#clear();
  }

  /** The broker has spoken about these entries, whatever it said. */
  answered(ids: readonly number[]): void {
    this.#needed = HANG_UPS_MAX;
    if (this.#suspect !== undefined && ids.includes(this.#suspect.id)) this.#clear();
  }

  /** The session was lost with entries in flight. */
  lost({ code, oldest, alone }: Loss): Verdict {
    if (!HANG_UPS.has(code) && !POISON.has(code)) return 'wait';
    if (this.#suspect?.id !== oldest.id) {
      [this.#suspect, this.#times] = [oldest, 0];
    }
    if (alone) this.#times += 1;
    // A word about the message weighs as much as three hang-ups without one.
    const needed = POISON.has(code) ? this.#needed / HANG_UPS_MAX : this.#needed;
    if (this.#times < needed) return 'alone';
    this.#needed *= 2;
    this.#clear();
    return 'quarantine';
  }

  #clear(): void {
    [this.#suspect, this.#times] = [undefined, 0];
  }
}
