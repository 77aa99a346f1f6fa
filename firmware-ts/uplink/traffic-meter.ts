import type { Session, Traffic } from './session.ts';

const DAY_MS = 86_400_000;

/** Bytes on the wire, over all sessions of one uplink. */
export interface TrafficTally extends Traffic {
  /** Both ways, since midnight UTC or the start. */
  readonly bytesToday: number;
}

/** Adds up what the sessions count; `nowMs` is of the wall clock. */
export class TrafficMeter {
  readonly #sessions = new Set<Session>();
  #ended: Traffic = { bytesRead: 0, bytesWritten: 0 };
  #day: number | undefined;
  #beforeToday = 0;
  #seen = 0;

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

  /** To be called now and then: what has come since the last look counts for the day before. */
  look(nowMs: number): void {
    const day = Math.floor(nowMs / DAY_MS);
    if (this.#day !== undefined && day !== this.#day) this.#beforeToday = this.#seen;
    this.#day = day;
    this.#seen = this.total;
  }

  tally(nowMs: number): TrafficTally {
    this.look(nowMs);
    return { ...this.#all, bytesToday: this.#seen - this.#beforeToday };
  }

  get #all(): Traffic {
    return Array.from(this.#sessions, (session) => session.traffic()).reduce(sum, this.#ended);
  }
}

function sum(one: Traffic, other: Traffic): Traffic {
  return {
    bytesRead: one.bytesRead + other.bytesRead,
    bytesWritten: one.bytesWritten + other.bytesWritten,
  };
}
