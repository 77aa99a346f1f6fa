import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { TimeMark } from '#reading/reading.ts';
import { BUILD_SECOND } from './build-time.ts';
import { TimeFloors, untrustedMark } from './time-floor.ts';

/** Time as a port: the machine's clock, or a virtual one that a test or a simulation turns. */
export interface Clock {
  /** Names the run of the machine within which `monotonic` counts on, over restarts of normd. */
  readonly boot: string;
  /** Milliseconds since some moment of this boot, of a clock that never steps. */
  monotonic(): number;
  /**
   * The wall clock and whether it is believed. While it is `untrusted` the mark holds what
   * `monotonic` says instead: that can be corrected later, a wrong date cannot.
   */
  wall(): TimeMark;
  /** Calls `run` once after `delayMs`, at once if that has passed; the result cancels it. */
  after(delayMs: number, run: () => void): () => void;
  /** A file says that it is this late at the least, seconds since 1970 (`time-floor.ts`). */
  believeFrom(second: number): void;
}

/** Milliseconds since 1970 by the wall clock; those since the boot while that is not believed. */
export function wallMs(clock: Pick<Clock, 'wall'>): number {
  const { second, nanosecond } = clock.wall();
  return second * 1000 + nanosecond / 1e6;
}

export interface MachineClockOptions {
  /** Seconds since 1970; the build's moment unless given. */
  readonly buildSecond?: number;
  /** Milliseconds since 1970, believed or not. */
  readonly now?: () => number;
  /** Is there once the clock has been set from the network. */
  readonly synchronisedFile?: string;
  /** Names the boot. */
  readonly bootFile?: string;
}

/**
 * systemd-timesyncd touches this file once the clock has been set from the network. What the
 * kernel knows, for whoever sets it (adjtimex(2)), no file tells: others are to make one.
 */
export const SYNCHRONISED_FILE = '/run/systemd/timesync/synchronized';

/** random(4); another one after each boot, for containers too. */
const BOOT_FILE = '/proc/sys/kernel/random/boot_id';

/** A longer timer would fire at once; who waits longer is woken early and looks again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A gateway without a battery-backed clock starts in 1970. */
export function openMachineClock(options: MachineClockOptions = {}): Clock {
  const { now = Date.now, synchronisedFile = SYNCHRONISED_FILE } = options;
  const floors = new TimeFloors(options.buildSecond ?? BUILD_SECOND);
  return {
    boot: bootFrom(options.bootFile ?? BOOT_FILE),
    monotonic: sinceBoot,
    wall() {
      const millisecond = now();
      const second = Math.floor(millisecond / 1000);
      const monotonicMs = sinceBoot();
      const trust = floors.trustAt(second, existsSync(synchronisedFile), monotonicMs);
      if (trust === 'untrusted') return untrustedMark(monotonicMs);
      const nanosecond = (millisecond - second * 1000) * 1_000_000;
      return { second, nanosecond, clock: 'gateway', trust };
    },
    after(delayMs, run) {
      const timer = setTimeout(run, Math.max(0, Math.min(delayMs, TIMER_MS_MAX)));
      return () => clearTimeout(timer);
    },
    believeFrom: (second) => floors.raise(second, sinceBoot()),
  };
}

/** CLOCK_MONOTONIC: unlike `performance.now` it counts on over a restart of the process. */
function sinceBoot(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Without the file every start counts as a boot: nothing is corrected over it. */
function bootFrom(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : randomUUID();
}

export const machineClock: Clock = openMachineClock();
