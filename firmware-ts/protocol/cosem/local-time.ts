import type { CosemDateTime } from '../dlms/date-time.ts';
import { localSecondOf } from '../dlms/date-time.ts';

/** The time shown so many seconds later; deviation and status stay. Open parts stay open. */
export function addSeconds(dateTime: CosemDateTime, seconds: number): CosemDateTime {
  const second = localSecondOf(dateTime);
  return second === undefined ? dateTime : { ...dateTime, ...shownAt(second + seconds) };
}

/** Date and time of a local second since 1970. */
export function shownAt(localSecond: number): CosemDateTime {
  const date = new Date(localSecond * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    dayOfWeek: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** A moment (UTC) as a meter shows times, its status open: with a deviation where it shows one. */
export function shownLike(
  shown: CosemDateTime,
  utcSecond: number,
  offsetMin: number,
): CosemDateTime {
  const told = shown.deviation === undefined ? {} : { deviation: 0 - offsetMin };
  return { ...shownAt(utcSecond + offsetMin * 60), hundredths: 0, ...told };
}
