import type { Clock } from '#system/clock.ts';
import { wallMs } from '#system/clock.ts';

/** Moments that lie on the clock: every quarter of an hour at :00, and so much later. */
export interface Slots {
  readonly everyMs: number;
  readonly offsetMs: number;
}

/** The first slot after `now`, both in milliseconds since 1970 in UTC. */
export function nextSlot(now: number, { everyMs, offsetMs }: Slots): number {
  return (Math.floor((now - offsetMs) / everyMs) + 1) * everyMs + offsetMs;
}

/** The wall clock may be set while somebody waits for it: look again after so long. */
const LOOK_AGAIN_MS = 60_000;

/** Calls `run` once the wall clock has come to `at`; the result cancels it. */
export function whenWall(clock: Clock, at: number, run: () => void): () => void {
  let cancel: () => void;
  const look = (): void => {
    const delayMs = at - wallMs(clock);
    if (delayMs <= 0) run();
    else cancel = clock.after(Math.min(delayMs, LOOK_AGAIN_MS), look);
  };
  cancel = clock.after(0, look);
  return () => cancel();
}
