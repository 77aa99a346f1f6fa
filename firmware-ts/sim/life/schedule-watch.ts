import type { TimeMark } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import type { WallClock } from './boot-clock.ts';
import type { BackendName, Wish } from './configuration.ts';
import type { Diary } from './diary.ts';
import { leftOf } from './windows.ts';

/** Whoever waits for a time of day looks each minute, and a session has to take leave. */
const GRACE_MS = 90_000;
/** Presence, events that wake somebody, and streams of urgent classes. */
const URGENT = /\/(?:st|ev|(?:up|lv)\/\w+_(?:alarm|command))$/;

export interface ScheduleWatchParts {
  readonly clock: Clock;
  readonly diary: Diary;
  readonly wall: WallClock;
  readonly process: {
    readonly runningSinceMs: number | undefined;
    /** What its clock says. */
    readonly now: TimeMark | undefined;
  };
  readonly wish: () => Wish;
}

/** Holds the gateway to its schedule: outside the windows nothing leaves but what is urgent. */
export class ScheduleWatch {
  readonly #parts: ScheduleWatchParts;

  constructor(parts: ScheduleWatchParts) {
    this.#parts = parts;
  }

  sent(backend: BackendName, topic: string): void {
    const { diary, process } = this.#parts;
    const { connect } = this.#parts.wish();
    const second = process.now?.second;
    if (connect === undefined || second === undefined || !this.#isSettled()) return;
    const closedMs = -1000 * leftOf(connect, second);
    if (closedMs <= GRACE_MS) return;
    if (URGENT.test(topic)) diary.note('outside.urgent', backend);
    else diary.broken(`${backend}: ${topic} leaves ${closedMs / 60_000} minutes after the window`);
  }

  /** A gateway that stops sends what it can; one whose clock was set looks at it soon. */
  #isSettled(): boolean {
    const { clock, wall, process } = this.#parts;
    const isStill = clock.monotonic() - wall.changedMs > GRACE_MS;
    return process.runningSinceMs !== undefined && !wall.doubted && isStill;
  }
}
