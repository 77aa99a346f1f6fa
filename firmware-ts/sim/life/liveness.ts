import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { StoreHere } from '#store/here.ts';
import type { Clock } from '#system/clock.ts';
import type { Obligation } from './account.ts';
import type { WallClock } from './boot-clock.ts';
import type { ScriptedBroker } from './broker.ts';
import type { BackendName, Wish } from './configuration.ts';
import { BACKENDS, BROKERS } from './configuration.ts';
import type { Diary } from './diary.ts';
import type { Mood } from './mood.ts';

const MINUTE_MS = 60_000;
/** A backlog has so long from when all is well. */
const DRAINED_AFTER_MS = 60 * MINUTE_MS;
/** Meters push at full hours, and what they say is under way for a while. */
const FIRST_LOOK_MS = 10 * MINUTE_MS;
const LOOK_MS = 60 * MINUTE_MS;
const SECOND_LOOK_MS = 3 * MINUTE_MS;
const LOOKS = 4;
/** Whoever was away is back by then, and has said what waited. */
const SETTLED_AFTER_MS = 15 * MINUTE_MS;
/** Classes with a deadline that a simulated house can hold them to (decision 0006). */
const DEADLINES_MS: Partial<Record<DeliveryClass, number>> = { command: 2000, alarm: 10_000 };

/** Who cannot be reached, or says nothing, is passed over for another broker. */
const PASSED_OVER: ReadonlySet<Mood['kind']> = new Set(['down', 'silent', 'portal']);

export interface LivenessParts {
  readonly clock: Clock;
  readonly diary: Diary;
  readonly wall: WallClock;
  readonly brokers: ReadonlyMap<number, ScriptedBroker>;
  readonly process: {
    readonly runningSinceMs: number | undefined;
    readonly store: StoreHere | undefined;
  };
  /** The configuration that the process runs with. */
  readonly wish: () => Wish;
}

/**
 * Holds the gateway to what it owes while it lives: with a broker that is well its backlog goes
 * within the hour, and an alarm arrives in its time.
 */
export class Liveness {
  readonly #parts: LivenessParts;
  #over = false;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#later(FIRST_LOOK_MS);
  }

  end(): void {
    this.#over = true;
  }

  /** An output has been confirmed. */
  confirmed(backend: BackendName, of: DeliveryClass, obligation: Obligation): void {
    const { clock, diary } = this.#parts;
    const limitMs = DEADLINES_MS[of];
    const sinceMs = this.#wellSince(backend);
    if (limitMs === undefined || !isLongAgo(sinceMs, clock, SETTLED_AFTER_MS)) return;
    clock.after(limitMs, () => {
      if (this.#wellSince(backend) !== sinceMs) return;
      if (obligation.seen) diary.note(`in-time.${of}`, backend);
      else diary.broken(`${backend}: an ${of} has not arrived within ${limitMs} ms`);
    });
  }

  #later(delayMs: number): void {
    this.#parts.clock.after(delayMs, () => {
      if (this.#over) return;
      for (const name of BACKENDS) void this.#look(name, LOOKS);
      this.#later(LOOK_MS);
    });
  }

  async #look(name: BackendName, looks: number): Promise<void> {
    const { clock, diary } = this.#parts;
    const { bytesPerSecond } = this.#parts.wish();
    const sinceMs = bytesPerSecond === undefined ? this.#wellSince(name) : undefined;
    if (this.#over || !isLongAgo(sinceMs, clock, DRAINED_AFTER_MS)) return;
    const waiting = await this.#waiting(name);
    if (this.#wellSince(name) !== sinceMs) return;
    if (waiting === 0) diary.note('drained', name);
    else if (looks > 1) clock.after(SECOND_LOOK_MS, () => void this.#look(name, looks - 1));
    else diary.broken(`${name}: ${waiting} entries wait while a broker is well`);
  }

  async #waiting(name: BackendName): Promise<number> {
    const { store } = this.#parts.process;
    if (store === undefined) return 0;
    const { backends } = await store.counts();
    const { queuedEntries = 0 } = backends[name] ?? {};
    if (queuedEntries === 0) return 0;
    const aside = await store.quarantined(name);
    return queuedEntries - aside.length;
  }

  /** Since when nothing keeps the gateway from delivering; `undefined` while something does. */
  #wellSince(name: BackendName): number | undefined {
    const { process, wall, brokers, wish } = this.#parts;
    const { backends, connect, brokers: count } = wish();
    const running = process.runningSinceMs;
    if (running === undefined || wall.lost || connect !== undefined) return undefined;
    if (!backends.includes(name)) return undefined;
    const mine = BROKERS[name].slice(0, count).map(({ port }) => brokers.get(port));
    const known = mine.filter((broker) => broker !== undefined);
    const well = known.some(({ mood, cut }) => mood.kind === 'well' && !cut);
    const bad = known.some(
      ({ mood, cut }) => !cut && mood.kind !== 'well' && !PASSED_OVER.has(mood.kind),
    );
    if (!well || bad) return undefined;
    return Math.max(running, wall.changedMs, ...known.map(({ changedMs }) => changedMs));
  }
}

function isLongAgo(sinceMs: number | undefined, clock: Clock, durationMs: number): boolean {
  return sinceMs !== undefined && clock.monotonic() - sinceMs >= durationMs;
}
