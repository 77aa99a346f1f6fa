import { failureOf } from '#bytes/failure.ts';
import type { Configuration } from '#config/schema.ts';
import { newestNotBefore } from '#identity/credentials.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import type { TellEvent } from './event-desk.ts';

/** So long a wall clock may have been set before anybody notices. */
const LOOK_MS = 10_000;
/** One that is believed only steps: that costs nothing but a line in the log. */
const BELIEVED_LOOK_MS = 60_000;
/** More than a synchronisation slews between two looks, and more than a leap second. */
const STEP_MS = 2_000;

/** What the last start left behind tells how late it is at the least. */
export function raiseFloors(
  clock: Clock,
  { opening }: Pick<Store, 'opening'>,
  { backends }: Pick<Configuration, 'backends'>,
): void {
  const { believedMs } = opening;
  if (believedMs !== undefined) clock.believeFrom(Math.floor(believedMs / 1000));
  for (const { identity } of backends) {
    const second = identity && newestNotBefore(identity);
    if (second !== undefined) clock.believeFrom(second);
  }
}

export interface ClockWatchPorts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'believe'>;
  readonly log: Log;
  readonly tell: TellEvent;
}

/**
 * Looks at the wall clock now and then: tells the store when it is believed, and the log and the
 * back-ends when that changes or the clock has stepped. The result ends it.
 */
export function watchClock({ clock, store, log, tell }: ClockWatchPorts): () => void {
  let cancel = (): void => undefined;
  let before: Look | undefined;
  let believed = false;
  const believe = (): void => {
    believed = true;
    store.believe().catch((error: unknown) => {
      believed = false; // it is repeated with the next look
      refused(error, log);
    });
  };
  const look = (): void => {
    const now = lookAt(clock);
    report(before, now, log);
    tellOf(before, now, tell);
    if (now.aheadMs === undefined) believed = false;
    else if (!believed) believe();
    before = now;
    cancel = clock.after(now.aheadMs === undefined ? LOOK_MS : BELIEVED_LOOK_MS, look);
  };
  look();
  return () => cancel();
}

interface Look {
  readonly trust: ReturnType<Clock['wall']>['trust'];
  /** Wall clock minus monotonic clock; absent while the wall clock is not believed. */
  readonly aheadMs?: number;
}

function lookAt(clock: Clock): Look {
  const { second, nanosecond, trust } = clock.wall();
  if (trust === 'untrusted') return { trust };
  return { trust, aheadMs: second * 1000 + nanosecond / 1e6 - clock.monotonic() };
}

function report(before: Look | undefined, now: Look, log: Log): void {
  if (now.trust !== before?.trust) {
    const level = now.trust === 'untrusted' ? 'warning' : 'info';
    log(level, 'clock.trust', { trust: now.trust, before: before?.trust });
  }
  const stepMs = stepBetween(before, now);
  if (stepMs !== undefined) log('warning', 'clock.stepped', { stepMs });
}

function tellOf(before: Look | undefined, now: Look, tell: TellEvent): void {
  const stepMs = stepBetween(before, now);
  if (stepMs !== undefined) tell('clock-corrected', { stepMs });
  else if (before?.trust === 'untrusted' && now.trust !== 'untrusted') tell('clock-corrected', {});
}

/** How far a clock that was and is believed has stepped; `undefined` if it has not. */
function stepBetween(before: Look | undefined, now: Look): number | undefined {
  if (before?.aheadMs === undefined || now.aheadMs === undefined) return undefined;
  const stepMs = Math.round(now.aheadMs - before.aheadMs);
  return Math.abs(stepMs) > STEP_MS ? stepMs : undefined;
}

function refused(error: unknown, log: Log): void {
  const { code, message } = failureOf(error);
  log('warning', 'clock.not-noted', { code, message });
}
