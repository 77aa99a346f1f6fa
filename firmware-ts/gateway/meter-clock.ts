import type { MeterClock } from '#acquisition/device.ts';
import { offsetMinOf } from '#acquisition/meter-local-time.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import { shownLike } from '#protocol/cosem/local-time.ts';
import { readClock, setClock } from '#protocol/cosem/operate.ts';
import type { CosemDateTime } from '#protocol/dlms/date-time.ts';
import { localSecondOf } from '#protocol/dlms/date-time.ts';
import type { Clock } from '#system/clock.ts';
import { wallMs } from '#system/clock.ts';
import type { TimeZone } from '#system/time-zone.ts';

export interface ClockCheckOptions {
  readonly everyMs: number;
  /** Wrong by more is told, and put right where that is allowed. */
  readonly offSeconds: number;
  /** The largest step that may be set; absent: nothing is ever set. */
  readonly setWithinSeconds?: number | undefined;
  readonly clock: Clock;
  /** Of what it shows without a deviation. */
  readonly zone: TimeZone | undefined;
}

/** What a check found, or `undefined` where none is due. It fails no reading. */
export type ClockCheck = (session: MeterSession) => Promise<MeterClock | undefined>;

/**
 * Looks how wrong a meter's clock is, at most so often, and sets it within the stated limits. While
 * our own clock is not trusted nothing is checked.
 */
export function clockCheck(options: ClockCheckOptions): ClockCheck {
  const { clock, everyMs } = options;
  let dueMs = 0;
  return async (session) => {
    const now = clock.monotonic();
    if (now < dueMs || clock.wall().trust !== 'trusted') return undefined;
    dueMs = now + everyMs;
    try {
      return await checked(session, options);
    } catch (error) {
      return { checkedMs: wallMs(clock), failure: failureOf(error) };
    }
  };
}

/** How wrong the clock is, and what is not known of that: half of the way there and back. */
interface Seen {
  readonly shown: CosemDateTime;
  readonly offsetMin: number;
  readonly offsetS: number;
  readonly doubtS: number;
}

async function checked(session: MeterSession, options: ClockCheckOptions): Promise<MeterClock> {
  const { clock, offSeconds, setWithinSeconds } = options;
  const seen = await look(session, options);
  if (seen === undefined) return { checkedMs: wallMs(clock), failure: UNKNOWN };
  const { offsetS, doubtS } = seen;
  const found = { checkedMs: wallMs(clock), offsetS };
  if (Math.abs(offsetS) <= offSeconds + doubtS) return found;
  if (setWithinSeconds === undefined) return { ...found, failure: off(offsetS, offSeconds) };
  const to = shownLike(seen.shown, Math.round(wallMs(clock) / 1000), seen.offsetMin);
  await session.run(setClock({ to, stepMaxS: setWithinSeconds }));
  const after = await look(session, options);
  return { ...found, ...(after === undefined ? {} : { offsetS: after.offsetS }), setByS: -offsetS };
}

async function look(
  session: MeterSession,
  { clock, zone }: ClockCheckOptions,
): Promise<Seen | undefined> {
  const beforeMs = wallMs(clock);
  const shown = await session.run(readClock());
  const afterMs = wallMs(clock);
  const localSecond = localSecondOf(shown);
  if (localSecond === undefined) return undefined;
  const offsetMin = await offsetMinOf(session, shown, zone);
  if (offsetMin === undefined) return undefined;
  const offsetS = localSecond - offsetMin * 60 - (beforeMs + afterMs) / 2000;
  return { shown, offsetMin, offsetS: Math.round(offsetS), doubtS: (afterMs - beforeMs) / 2000 };
}

const UNKNOWN: Failure = {
  code: 'meter-clock-unknown',
  message: 'the time that the meter shows names no instant',
  hint: 'set timeZone of this source',
};

function off(offsetS: number, offSeconds: number): Failure {
  return {
    code: 'meter-clock-off',
    message: `the clock of the meter is wrong by ${offsetS} s, more than ${offSeconds} s`,
    hint: 'set it with `normctl meter clock --set`, or let normd: clock: { setWithinSeconds: ... }',
  };
}
