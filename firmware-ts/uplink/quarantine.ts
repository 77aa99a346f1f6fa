import type { Failure } from '#bytes/failure.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import type { Events } from './events.ts';
import { type Verdict, verdictOnRefusal } from './quarantine-rule.ts';

/** More in a row, and none taken between them: it may be the broker that is ill. */
const IN_A_ROW_MAX = 3;
/** Nobody reads more lines about the same; the entries are listed (`normctl outbox`). */
const TELL_INTERVAL_MS = 60_000;

interface Entry {
  readonly id: number;
  readonly stream: string;
}

export interface QuarantineParts {
  readonly store: Store;
  readonly backend: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
}

/**
 * Sets aside what the broker refuses for what it is, over the sessions of one uplink. After three
 * in a row each one more takes twice as many refusals, until the broker takes something: one that
 * refuses everything does not empty an outbox.
 */
export class Quarantine {
  readonly #parts: QuarantineParts;
  #inARow = 0;
  /** Refusals of the entry that a stream waits for, by stream. */
  readonly #refusals = new Map<string, { readonly id: number; times: number }>();
  #toldMs = -Infinity;
  #untold = 0;

  constructor(parts: QuarantineParts) {
    this.#parts = parts;
  }

  /** The broker takes what is sent to it. */
  taken(): void {
    this.#inARow = 0;
    this.#refusals.clear();
  }

  /** What happens to an entry, refused by `code` together with others up to `observations`. */
  verdict({ id, stream }: Entry, code: string, observations: number): Verdict {
    const verdict = verdictOnRefusal(code, observations);
    if (verdict !== 'quarantine') return verdict;
    const known = this.#refusals.get(stream);
    const refusals = known?.id === id ? known : { id, times: 0 };
    refusals.times += 1;
    this.#refusals.set(stream, refusals);
    const needed = 2 ** Math.max(0, this.#inARow + 1 - IN_A_ROW_MAX);
    return refusals.times < needed ? 'wait' : 'quarantine';
  }

  /** Sets one entry aside and tells it, at most once a minute. Errors: those of the store. */
  async setAside({ id, stream }: Entry, failure: Failure): Promise<void> {
    const { store, backend, events } = this.#parts;
    await store.quarantine(backend, id, failure);
    this.#inARow += 1;
    this.#refusals.delete(stream);
    if (!this.#tells({ id, stream }, failure)) return;
    const entry = await store.entry(backend, id);
    if (entry === undefined) return; // it was acknowledged after all
    const { epoch, sequence, count } = entry;
    const { code } = failure;
    const numbers = { epoch, from: sequence, through: sequence + count - 1 };
    events.tell('quarantined', { stream, ...numbers, code });
  }

  #tells({ id, stream }: Entry, { code, message }: Failure): boolean {
    const { backend, clock, log } = this.#parts;
    const nowMs = clock.monotonic();
    if (nowMs - this.#toldMs < TELL_INTERVAL_MS) {
      this.#untold += 1;
      return false;
    }
    const before = this.#untold === 0 ? {} : { before: this.#untold };
    log('warning', 'uplink.quarantined', { backend, stream, id, code, message, ...before });
    [this.#toldMs, this.#untold] = [nowMs, 0];
    return true;
  }
}
