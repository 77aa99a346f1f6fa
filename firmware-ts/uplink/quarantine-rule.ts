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
  readonly stream: string;
  readonly of: DeliveryClass;
}

/** What was in flight when a session was lost. */
export interface Loss {
  /** The failure's code. */
  readonly code: string;
  /** The entry without an answer that was sent first. */
  readonly oldest: Suspect;
  /** Of what was sent of it: the number of the first observation, and how many there were. */
  readonly sequence: number;
  readonly count: number;
  /** Whether nothing else was in flight. */
  readonly alone: boolean;
}

/**
 * Finds the entry over which a broker hangs up. After a hang-up the oldest entry in flight is sent
 * alone, as a whole, since most ways just break; after one over it alone, observation by
 * observation. When the broker hangs up over the same one three times, the entry is poison.
 */
export class HangUps {
  #suspect: Suspect | undefined;
  #divided = false;
  /** The observation over which it hung up last, and how often. */
  #sequence: number | undefined;
  #times = 0;
  #needed = HANG_UPS_MAX;

  /** The entry to send alone, before all else that is not urgent. */
  get suspect(): Suspect | undefined {
    return this.#suspect;
  }

  /** Whether it is to be sent observation by observation. */
  get divided(): boolean {
    return this.#divided;
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
  lost({ code, oldest, sequence, count, alone }: Loss): Verdict {
    if (!HANG_UPS.has(code) && !POISON.has(code)) return 'wait';
    if (this.#suspect?.id !== oldest.id) this.#clear();
    this.#suspect = oldest;
    if (!alone) return 'alone';
    if (count > 1 && !this.#divided) {
      this.#divided = true;
      return 'alone';
    }
    if (this.#sequence !== sequence) {
      // Once over this and once over that is the way's doing, and the whole may go in one session.
      this.#divided &&= this.#sequence === undefined;
      [this.#sequence, this.#times] = [sequence, 0];
    }
    this.#times += 1;
    // A word about the message weighs as much as three hang-ups without one.
    const needed = POISON.has(code) ? this.#needed / HANG_UPS_MAX : this.#needed;
    if (this.#times < needed) return 'alone';
    this.#needed *= 2;
    this.#clear();
    return 'quarantine';
  }

  #clear(): void {
    [this.#suspect, this.#divided] = [undefined, false];
    [this.#sequence, this.#times] = [undefined, 0];
  }
}
