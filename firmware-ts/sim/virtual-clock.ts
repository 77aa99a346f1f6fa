import { setImmediate as turn } from 'node:timers/promises';
import type { TimeMark } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export interface VirtualClockOptions {
  /** Wall time at the start, seconds since 1970; 2026-11-21T00:00:00Z unless given. */
  readonly second?: number;
  readonly trust?: TimeMark['trust'];
}

/** A clock that stands still until it is turned: years of a gateway's life pass in milliseconds. */
export class VirtualClock implements Clock {
  readonly #second: number;
  readonly #trust: TimeMark['trust'];
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#second = options.second ?? 1_795_219_200;
    this.#trust = options.trust ?? 'trusted';
  }

  monotonic(): number {
    return this.#nowMs;
  }

  wall(): TimeMark {
    const whole = Math.floor(this.#nowMs / 1000);
    const nanosecond = Math.round((this.#nowMs - whole * 1000) * 1_000_000);
    return { second: this.#second + whole, nanosecond, clock: 'gateway', trust: this.#trust };
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** When the next timer is due, in monotonic milliseconds; `undefined` while none is set. */
  get next(): number | undefined {
    return this.#first()?.dueMs;
  }

  /** Turns the clock; runs every timer that falls due, in order, also those set on the way. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    while (this.#runNext(untilMs));
    this.#nowMs = untilMs;
  }

  /** As `advance`, with a turn of the event loop after each timer, so that promises settle. */
  async run(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await turn();
    while (this.#runNext(untilMs)) await turn();
    this.#nowMs = untilMs;
  }

  #runNext(untilMs: number): boolean {
    const timer = this.#first();
    if (timer === undefined || timer.dueMs > untilMs) return false;
    this.#timers.delete(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.run();
    return true;
  }

  /** The earliest; of two with the same moment the one set first. */
  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.dueMs < first.dueMs) first = timer;
    }
    return first;
  }
}
