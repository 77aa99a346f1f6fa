import { OperatingError } from '#bytes/failure.ts';

/**
 * How the clocks on the wall of one zone stand to UTC. A local second is the reading of such a
 * clock as seconds since 1970, as if it showed UTC.
 */
export interface TimeZone {
  /**
   * Local time minus UTC in minutes when clocks show `localSecond`. In the hour that an autumn
   * shows twice, and in the one that a spring leaves out, no offset can be told: `undefined`.
   */
  readonly offsetMin: (localSecond: number) => number | undefined;
  /**
   * Local time minus UTC in minutes in the winter of the year of `localSecond`: for a device that
   * says itself whether it shows summer time, as P1 meters do with S and W.
   */
  readonly winterOffsetMin: (localSecond: number) => number;
}

const DAY_SECONDS = 86_400;

/**
 * The zone of this name in the time zone database (`Europe/Amsterdam`), or at a fixed distance
 * (`+01:00`). Throws `unknown-time-zone` for other names.
 */
export function openTimeZone(name: string): TimeZone {
  const offsetAt = utcOffsets(name);
  const around = keepingLast((day) => offsetsAround(day, offsetAt));
  const winter = keepingLast((year) => {
    const months = [0, 6]; // January, and July for the south
    return Math.min(...months.map((month) => offsetAt(Date.UTC(year, month, 1) / 1000)));
  });
  return {
    offsetMin: (localSecond) => {
      const offsets = around(Math.floor(localSecond / DAY_SECONDS));
      if (offsets.length === 1) return offsets[0];
      const fitting = offsets.filter((offset) => offsetAt(localSecond - offset * 60) === offset);
      return fitting.length === 1 ? fitting[0] : undefined;
    },
    winterOffsetMin: (localSecond) => winter(new Date(localSecond * 1000).getUTCFullYear()),
  };
}

/**
 * The one or two offsets that a local day may have. The days before and after are asked because
 * no zone is a whole day from UTC, and no zone moves its clocks twice within three days.
 */
function offsetsAround(day: number, offsetAt: (second: number) => number): readonly number[] {
  const before = offsetAt((day - 1) * DAY_SECONDS);
  const after = offsetAt((day + 2) * DAY_SECONDS);
  return before === after ? [before] : [before, after];
}

const OFFSET = /^GMT([+-])(\d\d):(\d\d)/;

/** Local time minus UTC in minutes at a second since 1970 in UTC. */
function utcOffsets(name: string): (second: number) => number {
  const format = formatOf(name);
  return (second) => {
    const parts = format.formatToParts(second * 1000);
    const text = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours, minutes] = OFFSET.exec(text) ?? []; // UTC itself may be a bare GMT
    const size = Number(hours ?? 0) * 60 + Number(minutes ?? 0);
    return sign === '-' ? 0 - size : size;
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  } catch (cause) {
    throw new OperatingError('unknown-time-zone', `${timeZone} is no time zone`, {
      hint: 'write a name of the time zone database, such as Europe/Amsterdam',
      cause,
    });
  }
}

/** Telegrams come in the order of time: the last answer is nearly always the next one. */
function keepingLast<Value>(compute: (key: number) => Value): (key: number) => Value {
  let last: { readonly key: number; readonly value: Value } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: compute(key) };
    return last.value;
  };
}
