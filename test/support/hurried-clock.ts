import { type Clock, machineClock } from '#system/clock.ts';

/**
 * The machine's clock, on which everything takes so much less time: what waits for half a minute
 * is seen in a second, over real sockets.
 */
export function hurriedClock(times: number): Clock {
  return {
    boot: machineClock.boot,
    monotonic: () => machineClock.monotonic() * times,
    wall: () => machineClock.wall(),
    after: (delayMs, run) => machineClock.after(delayMs / times, run),
    believeFrom: (second) => machineClock.believeFrom(second),
  };
}
