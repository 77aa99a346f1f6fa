import { Cron } from 'croner';
import { OperatingError } from '#bytes/failure.ts';

export interface ScheduleOptions {
  /** Five fields (minute, hour, day of month, month, day of week): when a window opens. */
  readonly cron: string;
  /** How long it stays open. */
  readonly minutes: number;
  /** Of the expression, a name of the time zone database. */
  readonly timeZone: string;
}

/** When a metered link may be used; by the wall clock, so that whoever waits looks again. */
export interface Schedule {
  at(wallMs: number): Opening;
}

export type Opening =
  | { readonly open: true; readonly untilMs: number }
  | { readonly open: false; readonly nextMs: number };

export const ALWAYS_OPEN: Schedule = { at: () => ({ open: true, untilMs: Infinity }) };

/** A cron expression has minutes; windows that touch are one, and as many make it "always". */
const JOINED_MAX = 64;

/**
 * The windows of `cron`; those that overlap or touch are one.
 * Errors: `bad-schedule` for an expression that is none, or that never comes.
 */
export function scheduleOf({ cron, minutes, timeZone }: ScheduleOptions): Schedule {
  const lengthMs = minutes * 60_000;
  const parsed = parse(cron, timeZone);
  const startAfter = (wallMs: number): number => {
    const start = parsed.nextRun(new Date(wallMs));
    if (start !== null) return start.getTime();
    throw badSchedule(`'${cron}' never comes`);
  };
  startAfter(0);
  const openingAt = (wallMs: number): Opening => {
    const nextMs = startAfter(wallMs - lengthMs);
    if (nextMs > wallMs) return { open: false, nextMs };
    let untilMs = nextMs + lengthMs;
    for (let joined = 0; joined < JOINED_MAX; joined += 1) {
      const startMs = startAfter(untilMs - lengthMs);
      if (startMs > untilMs) break;
      untilMs = startMs + lengthMs;
    }
    return { open: true, untilMs };
  };
  return remembering(openingAt);
}

/** Whoever waits asks each minute, and the answer holds until it ends. */
function remembering(openingAt: (wallMs: number) => Opening): Schedule {
  let [askedMs, opening]: [number, Opening | undefined] = [0, undefined];
  return {
    at(wallMs) {
      const endMs = opening?.open === true ? opening.untilMs : opening?.nextMs;
      if (opening !== undefined && wallMs >= askedMs && wallMs < (endMs ?? 0)) return opening;
      [askedMs, opening] = [wallMs, openingAt(wallMs)];
      return opening;
    },
  };
}

function parse(cron: string, timezone: string): Cron {
  try {
    const parsed = new Cron(cron, { mode: '5-part', timezone });
    parsed.nextRun(new Date(0)); // only here an unknown time zone is noticed
    return parsed;
  } catch (cause) {
    throw badSchedule(`'${cron}' in ${timezone} is no schedule`, cause);
  }
}

function badSchedule(message: string, cause?: unknown): OperatingError {
  return new OperatingError('bad-schedule', message, {
    field: 'cron',
    hint: "Write minute, hour, day, month and weekday: '15 2 * * *' is a quarter past two.",
    ...(cause === undefined ? {} : { cause }),
  });
}
