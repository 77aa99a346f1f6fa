/** A moment as a P1 telegram writes it: local time of the meter (DSMR 5.0.2 P1, 6.4, TST). */
export interface P1Time {
  /** Seconds from 1970-01-01T00:00:00 to this reading of the clock, as if it showed UTC. */
  readonly localSecond: number;
  /** True with S (summer time), false with W; DSMR 2 and 3 do not tell. */
  readonly summer?: boolean;
}

const TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW]?)$/;

/** `YYMMDDhhmmssX`; `undefined` for other texts and for dates that do not exist. */
export function p1TimeOf(text: string): P1Time | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map(Number);
  const date = new Date(Date.UTC(2000 + year, month - 1, day, hour, minute, second));
  // A date that does not exist is moved on by the calendar, and then reads otherwise.
  if (compactText(date) !== text.slice(0, 12)) return undefined;
  const localSecond = date.getTime() / 1000;
  return match[7] === '' ? { localSecond } : { localSecond, summer: match[7] === 'S' };
}

/** The reverse of `p1TimeOf`. */
export function p1TimeText({ localSecond, summer }: P1Time): string {
  const flag = summer === undefined ? '' : summer ? 'S' : 'W';
  return compactText(new Date(localSecond * 1000)) + flag;
}

function compactText(date: Date): string {
  return date.toISOString().slice(2, 19).replace(/[-T:]/g, '');
}
