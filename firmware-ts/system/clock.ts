import { existsSync } from 'node:fs';
import type { TimeMark } from '#reading/reading.ts';

/** Time as a port: the machine's clock, or a virtual one that a test or a simulation turns. */
export interface Clock {
  /** Milliseconds of a clock that never steps; only differences mean something. */
  monotonic(): number;
  /** The wall clock and whether it is believed. */
  wall(): TimeMark;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/**
 * 2026-11-01T00:00:00Z: this software did not exist before, so an earlier wall clock is wrong.
 * A gateway without a battery-backed clock starts in 1970.
 */
const TIME_FLOOR_SECOND = 1_793_491_200;

/** A longer timer would fire at once; who waits longer is woken early and looks again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const machineClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => {
    const millisecond = Date.now();
    const second = Math.floor(millisecond / 1000);
    return {
      second,
      nanosecond: (millisecond - second * 1000) * 1_000_000,
      clock: 'gateway',
      trust: trustAt(second),
    };
  },
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(delayMs, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  },
};

/** systemd-timesyncd touches this file once the clock has been set from the network. */
const SYNCHRONISED_MARK = '/run/systemd/timesync/synchronized';

function trustAt(second: number): TimeMark['trust'] {
  if (second < TIME_FLOOR_SECOND) return 'untrusted';
  return existsSync(SYNCHRONISED_MARK) ? 'trusted' : 'unknown';
}
