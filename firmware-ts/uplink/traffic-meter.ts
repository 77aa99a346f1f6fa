import type { DayTraffic } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Session, Traffic } from './session.ts';

const DAY_MS = 86_400_000;
/** Midnight is awaited; a wall clock may be set meanwhile, so that somebody looks each hour. */
const LOOK_MS = 3_600_000;
/** Days that are told of. */
const DAYS_MAX = 8;

/** Bytes on the wire, over all sessions of one uplink since it was opened; days over starts. */
export interface TrafficTally extends Traffic {
  /** Both ways, since midnight UTC; while no clock is believed since the start. */
  readonly bytesToday: number;
  /** The same of the last days, newest last. */
  readonly days: readonly TrafficDay[];
}

export interface TrafficDay {
  /** `2026-11-21` */
  readonly day: string;
  readonly bytes: number;
}

/**
 * Adds up what the sessions count, day by day. What passes while the wall clock is not believed
 * counts for the day on which it is; a day that comes twice, as the clock was set back, goes on.
 */
export class TrafficMeter {
  readonly #clock: Clock;
  readonly #sessions = new Set<Session>();
  #ended: Traffic = { bytesRead: 0, bytesWritten: 0 };
  readonly #days = new Map<number, number>();
  /** The day of the last look, and the total then. */
  #day: number | undefined;
  #seen = 0;
  #cancelLook: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.look();
    this.#cancelLook = this.#lookLater();
  }

  begin(session: Session): void {
    this.#sessions.add(session);
  }

  end(session: Session): void {
    if (this.#sessions.delete(session)) this.#ended = sum(this.#ended, session.traffic());
  }

  /** All bytes so far, both ways. */
  get total(): number {
    const { bytesRead, bytesWritten } = this.#all;
    return bytesRead + bytesWritten;
  }

  /** To be called now and then: what came since the last look counts for the day of that. */
  look(): void {
    const { second, trust } = this.#clock.wall();
    if (trust === 'untrusted') return;
    const today = Math.floor((second * 1000) / DAY_MS);
    const { total } = this;
    this.#count(this.#day ?? today, total - this.#seen);
    this.#count(today, 0);
    [this.#day, this.#seen] = [today, total];
  }

  /** What earlier starts have counted comes before what this one has. */
  restore(earlier: readonly DayTraffic[]): void {
    const own = this.days;
    this.#days.clear();
    for (const { day, bytes } of [...earlier, ...own]) this.#count(day, bytes);
  }

  /** The newest last. */
  get days(): readonly DayTraffic[] {
    this.look();
    return Array.from(this.#days, ([day, bytes]) => ({ day, bytes }));
  }

  get tally(): TrafficTally {
    const days = this.days.map(({ day, bytes }) => ({ day: nameOf(day), bytes }));
    const today = this.#day === undefined ? undefined : days.at(-1);
    return { ...this.#all, bytesToday: today?.bytes ?? this.total, days };
  }

  close(): void {
    this.#cancelLook();
  }

  #count(day: number, bytes: number): void {
    const known = this.#days.get(day) ?? 0;
    if (day !== [...this.#days.keys()].at(-1)) this.#days.delete(day); // the newest stands last
    this.#days.set(day, known + bytes);
    const [oldest] = this.#days.keys();
    if (this.#days.size > DAYS_MAX && oldest !== undefined) this.#days.delete(oldest);
  }

  #lookLater(): () => void {
    const { second, nanosecond, trust } = this.#clock.wall();
    const wallMs = second * 1000 + nanosecond / 1e6;
    const leftMs = trust === 'untrusted' ? LOOK_MS : DAY_MS - (wallMs % DAY_MS);
    return this.#clock.after(Math.min(leftMs, LOOK_MS), () => {
      this.look();
      this.#cancelLook = this.#lookLater();
    });
  }

  get #all(): Traffic {
    return Array.from(this.#sessions, (session) => session.traffic()).reduce(sum, this.#ended);
  }
}

function nameOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

function sum(one: Traffic, other: Traffic): Traffic {
  return {
    bytesRead: one.bytesRead + other.bytesRead,
    bytesWritten: one.bytesWritten + other.bytesWritten,
  };
}
