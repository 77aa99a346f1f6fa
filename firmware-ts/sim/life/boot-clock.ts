import type { TimeMark } from '#reading/reading.ts';
import { BUILD_SECOND } from '#system/build-time.ts';
import type { Clock } from '#system/clock.ts';
import { TimeFloors, untrustedMark } from '#system/time-floor.ts';

/** What the gateway's wall clock shows, right or wrong, and whether the network has set it. */
export class WallClock {
  readonly #world: Clock;
  #offsetSeconds = 0;
  #lost = false;
  #synchronised = true;
  /** When it was last touched, by the world's monotonic clock. */
  changedMs = 0;

  constructor(world: Clock) {
    this.#world = world;
  }

  /** Nobody has set it, and it may not be believed. */
  get doubted(): boolean {
    return !this.#synchronised;
  }

  /** Never set since the last boot: it counts from 1970. */
  get lost(): boolean {
    return this.#lost;
  }

  lose(): void {
    this.#become({ offsetSeconds: 0, lost: true, synchronised: false });
  }

  /** It is synchronised, so far from the truth. */
  set(offsetSeconds: number): void {
    this.#become({ offsetSeconds, lost: false, synchronised: true });
  }

  /** It runs on a battery, so far from the truth, and no network tells. */
  stray(offsetSeconds: number): void {
    this.#become({ offsetSeconds, lost: false, synchronised: false });
  }

  /** Seconds since 1970, `upMs` after the boot. */
  second(upMs: number): number {
    if (this.#lost) return Math.floor(upMs / 1000);
    return this.#world.wall().second + this.#offsetSeconds;
  }

  show(floors: TimeFloors, upMs: number): TimeMark {
    const second = this.second(upMs);
    const trust = floors.trustAt(second, this.#synchronised, upMs);
    if (trust === 'untrusted') return untrustedMark(upMs);
    return { second, nanosecond: this.#world.wall().nanosecond, clock: 'gateway', trust };
  }

  #become(to: {
    readonly offsetSeconds: number;
    readonly lost: boolean;
    readonly synchronised: boolean;
  }): void {
    this.#offsetSeconds = to.offsetSeconds;
    this.#lost = to.lost;
    this.#synchronised = to.synchronised;
    this.changedMs = this.#world.monotonic();
  }
}

/** One run of the machine: monotonic time counts from its begin, over restarts of the process. */
export interface Boot {
  readonly name: string;
  readonly atMs: number;
}

export function bootNow(world: Clock): Boot {
  const atMs = world.monotonic();
  return { name: `boot-${atMs}`, atMs };
}

/** The clock of one process: with it all its timers die. */
export class BootClock implements Clock {
  readonly #world: Clock;
  readonly #wall: WallClock;
  readonly #bootMs: number;
  readonly #floors = new TimeFloors(BUILD_SECOND);
  readonly boot: string;
  #dead = false;

  /** Of a machine that starts now, unless given. */
  constructor(world: Clock, wall: WallClock, { name, atMs }: Boot = bootNow(world)) {
    this.#world = world;
    this.#wall = wall;
    this.#bootMs = atMs;
    this.boot = name;
  }

  monotonic(): number {
    return this.#world.monotonic() - this.#bootMs;
  }

  wall(): TimeMark {
    return this.#wall.show(this.#floors, this.monotonic());
  }

  after(delayMs: number, run: () => void): () => void {
    if (this.#dead) return () => undefined;
    // As of Node: whole milliseconds, and never none.
    return this.#world.after(Math.max(1, Math.trunc(delayMs)), () => {
      if (!this.#dead) run();
    });
  }

  believeFrom(second: number): void {
    this.#floors.raise(second, this.monotonic());
  }

  die(): void {
    this.#dead = true;
  }
}
