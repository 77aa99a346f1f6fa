import type { Clock } from '#system/clock.ts';

/** Repetitions of one event are told once a minute, with their number. */
const INTERVAL_MS = 60_000;
/** Different events remembered; beyond that the oldest is told anew. */
const EVENTS_MAX = 64;

interface Told {
  readonly at: number;
  quiet: number;
}

/** Decides whether an event is told or only counted. */
export class Throttle {
  readonly #clock: Clock;
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How often the event was passed over since it was last told; `undefined`: pass it over. */
  quietSince(event: string): number | undefined {
    const at = this.#clock.monotonic();
    const told = this.#told.get(event);
    if (told !== undefined && at - told.at < INTERVAL_MS) {
      told.quiet += 1;
      return undefined;
    }
    this.#told.delete(event); // set anew, so that the map's order is that of telling
    this.#told.set(event, { at, quiet: 0 });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= EVENTS_MAX) break;
      this.#told.delete(oldest);
    }
    return told?.quiet ?? 0;
  }
}
