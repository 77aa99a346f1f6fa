import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DEADLINES_MS, isUrgent } from '#policy/delivery-class.ts';
import type { TimeMark } from '#reading/reading.ts';
import type { StoreHere } from '#store/here.ts';
import type { StoreCounts } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Obligation } from './account.ts';
import type { WallClock } from './boot-clock.ts';
import type { ScriptedBroker } from './broker.ts';
import type { BackendName, Wish } from './configuration.ts';
import { BACKENDS, BROKERS } from './configuration.ts';
import type { Diary } from './diary.ts';
import type { Mood } from './mood.ts';
import type { Window } from './windows.ts';
import { leftOf } from './windows.ts';

const MINUTE_MS = 60_000;
/** A backlog has so long from when all is well. */
const DRAINED_AFTER_MS = 60 * MINUTE_MS;
/** Meters push at full hours, and what they say is under way for a while. */
const FIRST_LOOK_MS = 10 * MINUTE_MS;
const LOOK_MS = 60 * MINUTE_MS;
/** Before a window ends. */
const BEFORE_END_MS = MINUTE_MS;
/** Whoever was away is back by then, and has said what waited. */
const SETTLED_AFTER_MS = 15 * MINUTE_MS;

interface Look {
  /** All must have been well for so long. */
  readonly wellMs: number;
  /** What has just come is under way: somebody looks so many times before it counts. */
  readonly times: number;
  readonly againMs: number;
  readonly note: string;
  readonly connect?: Window;
}

const ALWAYS: Look = {
  wellMs: DRAINED_AFTER_MS,
  times: 4,
  againMs: 3 * MINUTE_MS,
  note: 'drained',
};
const BY_THE_END = { times: 3, againMs: 15_000, note: 'window.drained' } as const;

/** Who cannot be reached, or says nothing, is passed over for another broker. */
const PASSED_OVER: ReadonlySet<Mood['kind']> = new Set(['down', 'silent', 'portal']);

export interface LivenessParts {
  readonly clock: Clock;
  readonly diary: Diary;
  readonly wall: WallClock;
  readonly brokers: ReadonlyMap<number, ScriptedBroker>;
  readonly process: {
    readonly runningSinceMs: number | undefined;
    readonly now: TimeMark | undefined;
    readonly store: StoreHere | undefined;
  };
  /** The configuration that the process runs with. */
  readonly wish: () => Wish;
}

/**
 * Holds the gateway to what it owes while it lives: with a broker that is well its backlog goes
 * within the hour, and what is new arrives in the time of its class. What is not urgent is not
 * held to it under a cap, which a backlog may use up, or a schedule.
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
    const promised = isUrgent(of) || (limitMs < Infinity && this.#mayFlow);
    if (!promised || !isLongAgo(sinceMs, clock, SETTLED_AFTER_MS)) return;
    clock.after(limitMs, () => {
      if (this.#wellSince(backend) !== sinceMs) return;
      if (obligation.seen) diary.note(`in-time.${of}`, backend);
      else diary.broken(`${backend}: a new ${of} has not arrived within ${limitMs} ms`);
    });
  }

  /** Whether the operator lets everything go at any time. */
  get #mayFlow(): boolean {
    const { bytesPerSecond, connect } = this.#parts.wish();
    return bytesPerSecond === undefined && connect === undefined;
  }

  #later(delayMs: number): void {
    this.#parts.clock.after(delayMs, () => {
      if (this.#over) return;
      const { connect } = this.#parts.wish();
      if (connect === undefined) {
        for (const name of BACKENDS) void this.#look(name, ALWAYS);
      } else this.#beforeItCloses(connect);
      this.#later(LOOK_MS);
    });
  }

  /** All that can go goes in the window: by its end nothing waits. */
  #beforeItCloses(connect: Window): void {
    const { clock, process } = this.#parts;
    if (process.now === undefined) return;
    const leftMs = 1000 * leftOf(connect, process.now.second) - BEFORE_END_MS;
    const delayMs = leftMs < 0 ? leftMs + 1000 * connect.everySeconds : leftMs;
    if (delayMs >= LOOK_MS) return; // there is another look before
    const wellMs = connect.minutes * MINUTE_MS + SETTLED_AFTER_MS;
    const look = { ...BY_THE_END, wellMs, connect };
    clock.after(delayMs, () => {
      for (const name of BACKENDS) void this.#look(name, look);
    });
  }

  async #look(name: BackendName, look: Look): Promise<void> {
    const { clock, diary, wish } = this.#parts;
    const { bytesPerSecond, connect } = wish();
    const mayDrain = bytesPerSecond === undefined && connect === look.connect;
    const sinceMs = mayDrain ? this.#wellSince(name) : undefined;
    if (this.#over || !isLongAgo(sinceMs, clock, look.wellMs)) return;
    const waiting = await this.#waiting(name);
    if (this.#wellSince(name) !== sinceMs) return;
    const again = { ...look, times: look.times - 1 };
    if (waiting === 0) diary.note(look.note, name);
    else if (again.times > 0) clock.after(look.againMs, () => void this.#look(name, again));
    else diary.broken(`${name}: ${waiting} entries wait while a broker is well`);
  }

  async #waiting(name: BackendName): Promise<number> {
    const { store } = this.#parts.process;
    return store === undefined ? 0 : dueIn(await store.counts(), name);
  }

  /** Since when nothing keeps the gateway from delivering; `undefined` while something does. */
  #wellSince(name: BackendName): number | undefined {
    const { process, wall, brokers, wish } = this.#parts;
    const { backends, brokers: count } = wish();
    const running = process.runningSinceMs;
    if (running === undefined || wall.doubted) return undefined;
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

/** Entries of one back-end that are to be sent. */
export function dueIn({ backends }: StoreCounts, name: BackendName): number {
  const lanes = Object.values(backends[name]?.lanes ?? {});
  return lanes.reduce((sum, { entries }) => sum + entries, 0);
}

function isLongAgo(sinceMs: number | undefined, clock: Clock, durationMs: number): boolean {
  return sinceMs !== undefined && clock.monotonic() - sinceMs >= durationMs;
}
