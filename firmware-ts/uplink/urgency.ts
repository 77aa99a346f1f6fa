import { failureOf } from '#bytes/failure.ts';
import { Backoff, type BackoffLimits } from '#link/backoff.ts';
import { DEADLINES_MS } from '#policy/delivery-class.ts';
import type { Owed, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { Events } from './events.ts';
import type { Stop } from './stop.ts';

const URGENT = ['command', 'alarm'] as const;
type Urgent = (typeof URGENT)[number];

/**
 * What could not be sent within its deadline is tried less and less often, after so many times the
 * wait: each ten seconds for five minutes, and after half an hour as all else is.
 */
const WAITS_BETWEEN = 30;
/** Until the next session outside the schedule, after one that could not send everything. */
const LEFT_DUE: BackoffLimits = { firstMs: 30_000, capMs: 900_000 };
/** Of these some may be delivered and not durable yet. */
const LOOK_ENTRIES = 64;

export interface UrgencyParts {
  readonly backend: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly acknowledger: Acknowledger;
  readonly events: Events;
}

/** Whether something waits that opens a link which is closed, and hurries one that is broken. */
export class Urgency {
  readonly #parts: UrgencyParts;
  readonly #backoff: Backoff;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #listeners = new Set<() => void>();
  /** When the newest of what is due came, by the monotonic clock. */
  readonly #came = new Map<Urgent, number>();
  #eventCameMs = -Infinity;
  /** Entries that have come so far, for a look that was under way then. */
  #arrivals = 0;
  /** A session outside the schedule is not to begin before, for what these streams have due. */
  #heldMs = -Infinity;
  readonly #held = new Set<string>();

  constructor(parts: UrgencyParts) {
    const { store, backend, entropy, events } = parts;
    this.#parts = parts;
    this.#backoff = new Backoff(entropy, LEFT_DUE);
    this.#unsubscribe = [
      store.onDue(backend, (owed) => {
        for (const of of URGENT) this.#owed(of, owed[of]);
      }),
      events.onUrgent(() => this.#eventComes()),
    ];
  }

  /** Milliseconds until a link is to be opened against its schedule; `Infinity`: it is not. */
  get callsInMs(): number {
    if (this.#came.size === 0 && !this.#parts.events.urgent) return Infinity;
    return Math.max(0, this.#heldMs - this.#parts.clock.monotonic());
  }

  /** How long to wait between two tries, at most: by the deadline and the age of what is due. */
  get patienceMs(): number {
    const nowMs = this.#parts.clock.monotonic();
    const patienceMs = (of: Urgent, cameMs: number): number =>
      Math.max(DEADLINES_MS[of], (nowMs - cameMs) / WAITS_BETWEEN);
    const entries = Array.from(this.#came, ([of, cameMs]) => patienceMs(of, cameMs));
    const event = this.#parts.events.urgent ? patienceMs('alarm', this.#eventCameMs) : Infinity;
    return Math.min(...entries, event);
  }

  /** Waits so long, until something urgent comes, or until `stop`. */
  async sleep(stop: Stop, durationMs: number): Promise<void> {
    const woken = Promise.withResolvers<undefined>();
    const wake = (): void => woken.resolve(undefined);
    const cancel = this.#parts.clock.after(durationMs, wake);
    this.#listeners.add(wake);
    await stop.or(woken.promise);
    this.#listeners.delete(wake);
    cancel();
  }

  /** What is due is looked up in the store: at the start, and when a session is over. */
  async look(): Promise<void> {
    this.#held.clear();
    await this.#asking(async () => {
      for (const of of URGENT) await this.#lookFor(of);
    });
  }

  /** A session outside the schedule was left: what it could not send waits, longer each time. */
  left(): void {
    if (this.callsInMs === Infinity) this.#backoff.reset();
    else this.#heldMs = this.#parts.clock.monotonic() + this.#backoff.next();
  }

  end(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async #lookFor(of: Urgent): Promise<void> {
    const { store, backend, acknowledger, clock } = this.#parts;
    const arrivals = this.#arrivals;
    const entries = await store.peek(backend, of, 0, LOOK_ENTRIES);
    const due = entries.filter(({ id }) => !acknowledger.holds(id));
    for (const { stream } of due) this.#held.add(stream);
    if (due.length > 0 || entries.length === LOOK_ENTRIES) {
      const known = this.patienceMs;
      this.#came.set(of, this.#came.get(of) ?? clock.monotonic());
      this.#tell(known);
    } else if (this.#arrivals === arrivals) this.#came.delete(of);
  }

  #owed(of: Urgent, range: Owed[Urgent]): void {
    if (range === undefined) return;
    this.#comes(of);
    if (this.#heldMs > this.#parts.clock.monotonic()) void this.#release(of, range.firstId);
  }

  /** What comes on a stream that was not left with something due waits for nobody. */
  async #release(of: Urgent, firstId: number): Promise<void> {
    const { store, backend } = this.#parts;
    await this.#asking(async () => {
      const entries = await store.peek(backend, of, firstId - 1, LOOK_ENTRIES);
      if (entries.every(({ stream }) => this.#held.has(stream))) return;
      this.#heldMs = -Infinity;
      this.#wake();
    });
  }

  async #asking(ask: () => Promise<void>): Promise<void> {
    const { log, backend } = this.#parts;
    try {
      await ask();
    } catch (error) {
      const { code, message } = failureOf(error);
      log('warning', 'uplink.store-refused', { backend, code, message });
    }
  }

  #comes(of: Urgent): void {
    const known = this.patienceMs;
    this.#arrivals += 1;
    this.#came.set(of, this.#parts.clock.monotonic());
    this.#tell(known);
  }

  #eventComes(): void {
    const known = this.patienceMs;
    this.#eventCameMs = this.#parts.clock.monotonic();
    this.#tell(known);
  }

  /** Who waits looks again only where there is less patience now. */
  #tell(knownMs: number): void {
    if (this.patienceMs < knownMs) this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#listeners]) wake();
  }
}
