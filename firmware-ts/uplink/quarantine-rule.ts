/** A hang-up tells nothing by itself; three in a row over the same message do. */
const HANG_UPS_MAX = 3;

/** Refusals of a message for what it is: no time and no operator's quota mends them. */
const POISON: ReadonlySet<string> = new Set([
  'topic-refused', // 0x90
  'packet-too-large', // 0x95
  'payload-invalid', // 0x99
  'unencodable', // no payload can be made of it
]);

/** Ends of a session that a broker which cannot read a message may answer it with. */
const HANG_UPS: ReadonlySet<string> = new Set([
  'connection-closed',
  'connection-reset',
  'broker-error',
  'broker-refused', // malformed packet (0x81) and protocol error (0x82) among them
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

/** What was in flight when a session was lost. */
export interface Loss {
  /** The failure's code. */
  readonly code: string;
  /** The oldest entry without an answer. */
  readonly oldestId: number;
  /** Whether it was the only entry in flight. */
  readonly alone: boolean;
}

/**
 * Finds the entry over which a broker hangs up. What was in flight at a hang-up is sent again
 * beginning with its oldest entry alone; when the broker hangs up over it three times, it is
 * poison. Then some other entry must be taken before a next one can be found guilty: a broker
 * that hangs up over everything is ill, and its outbox is not.
 */
export class HangUps {
  #suspectId: number | undefined;
  #times = 0;
  #trusted = true;

  /** The entry to send alone, before anything else. */
  get suspectId(): number | undefined {
    return this.#suspectId;
  }

  /** The broker has spoken about these entries, whatever it said. */
  answered(ids: readonly number[]): void {
    this.#trusted = true;
    if (this.#suspectId !== undefined && ids.includes(this.#suspectId)) this.#clear();
  }

  /** The session was lost with entries in flight. */
  lost({ code, oldestId, alone }: Loss): Verdict {
    if (alone && POISON.has(code)) return this.#guilty();
    if (!HANG_UPS.has(code) && !POISON.has(code)) return 'wait';
    if (this.#suspectId !== oldestId) {
      [this.#suspectId, this.#times] = [oldestId, 0];
    }
    if (alone) this.#times += 1;
    if (this.#times < HANG_UPS_MAX || !this.#trusted) return 'alone';
    this.#trusted = false;
    return this.#guilty();
  }

  #guilty(): Verdict {
    this.#clear();
    return 'quarantine';
  }

  #clear(): void {
    [this.#suspectId, this.#times] = [undefined, 0];
  }
}
