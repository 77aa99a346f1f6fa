import { setImmediate as turn } from 'node:timers/promises';
import type { TimeMark } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import { TimeFloors, untrustedMark } from '#system/time-floor.ts';

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export interface VirtualClockOptions {
  /** Wall time at the start, seconds since 1970; 2026-11-21T00:00:00Z unless given. */
  readonly second?: number;
  readonly trust?: TimeMark['trust'];
  readonly boot?: string;
}

/** A clock that stands still until it is turned: years of a gateway's life pass in milliseconds. */
export class VirtualClock implements Clock {
  boot: string;
  /** What the wall clock says is this much more than what has passed. */
  #wallMs: number;
  #trust: TimeMark['trust'];
  readonly #timers = new Set<Timer>();
  #floors = new TimeFloors(0);
  #nowMs = 0;
  #bootedMs = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#wallMs = (options.second ?? 1_795_219_200) * 1000;
    this.#trust = options.trust ?? 'trusted';
    this.boot = options.boot ?? 'boot-1';
  }

  monotonic(): number {
    return this.#nowMs - this.#bootedMs;
  }

  wall(): TimeMark {
    const wallMs = this.#wallMs + this.#nowMs;
    const second = Math.floor(wallMs / 1000);
    const synchronised = this.#trust === 'trusted';
    const floored = this.#floors.trustAt(second, synchronised, this.monotonic());
    const trust = this.#trust === 'untrusted' ? this.#trust : floored;
    if (trust === 'untrusted') return untrustedMark(this.monotonic());
    const nanosecond = Math.round((wallMs - second * 1000) * 1_000_000);
    return { second, nanosecond, clock: 'gateway', trust };
  }

  believeFrom(second: number): void {
    this.#floors.raise(second, this.monotonic());
  }

  /** Sets the wall clock, as a person or a synchronisation does. */
  set(second: number, trust: TimeMark['trust']): void {
    this.#wallMs = second * 1000 - this.#nowMs;
    this.#trust = trust;
  }

  /** The wall clock leaps by so much; nobody tells. */
  step(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** The machine starts anew: monotonic time counts from here, and what files told is forgotten. */
  reboot(boot: string): void {
    this.boot = boot;
    this.#bootedMs = this.#nowMs;
    this.#floors = new TimeFloors(0);
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** When the next timer is due, in monotonic milliseconds; `undefined` while none is set. */
  get next(): number | undefined {
    const first = this.#first();
    return first && first.dueMs - this.#bootedMs;
  }

  /** Timers that are set: who forgets to take them back has ever more. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Turns the clock; runs every timer that falls due, in order, also those set on the way. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    while (this.#runNext(untilMs));
    this.#nowMs = untilMs;
  }

  /**
   * As `advance`, with a turn of the event loop after each timer, so that promises settle; or with
   * what is given instead, where nothing waits for the machine.
   */
  async run(durationMs: number, settled: () => Promise<unknown> = turn): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settled();
    while (this.#runNext(untilMs)) await settled();
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
