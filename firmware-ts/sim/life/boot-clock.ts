import type { TimeMark } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';

/** What the gateway's wall clock shows, right or wrong. */
export class WallClock {
  readonly #world: Clock;
  #offsetSeconds = 0;
  #lost = false;
  /** When it was last touched, by the world's monotonic clock. */
  changedMs = 0;

  constructor(world: Clock) {
    this.#world = world;
  }

  /** Never set since the last boot: it counts from 1970, and nobody believes it. */
  get lost(): boolean {
    return this.#lost;
  }

  lose(): void {
    this.#lost = true;
    this.changedMs = this.#world.monotonic();
  }

  /** It is set, so far from the truth. */
  set(offsetSeconds: number): void {
    this.#lost = false;
    this.#offsetSeconds = offsetSeconds;
    this.changedMs = this.#world.monotonic();
  }

  show(upMs: number): TimeMark {
    const { second, nanosecond } = this.#world.wall();
    if (!this.#lost) {
      const shown = second + this.#offsetSeconds;
      return { second: shown, nanosecond, clock: 'gateway', trust: 'trusted' };
    }
    const up = Math.floor(upMs / 1000);
    return { second: up, nanosecond: 0, clock: 'gateway', trust: 'untrusted' };
  }
}

/** The clock of one boot: begins at 0, and with the process all its timers die. */
export class BootClock implements Clock {
  readonly #world: Clock;
  readonly #wall: WallClock;
  readonly #bootMs: number;
  readonly boot: string;
  #dead = false;

  constructor(world: Clock, wall: WallClock) {
    this.#world = world;
    this.#wall = wall;
    this.#bootMs = world.monotonic();
    this.boot = `boot-${this.#bootMs}`;
  }

  monotonic(): number {
    return this.#world.monotonic() - this.#bootMs;
  }

  wall(): TimeMark {
    return this.#wall.show(this.monotonic());
  }

  after(delayMs: number, run: () => void): () => void {
    if (this.#dead) return () => undefined;
    // As of Node: whole milliseconds, and never none.
    return this.#world.after(Math.max(1, Math.trunc(delayMs)), () => {
      if (!this.#dead) run();
    });
  }

  /** Lives have clocks that are right or lost: no floor is needed. */
  believeFrom(): void {
    // Nothing to raise.
  }

  die(): void {
    this.#dead = true;
  }
}
