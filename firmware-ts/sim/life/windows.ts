/** When a metered link may be used: for the gateway an expression, for who holds it to it a sum. */
export interface Window {
  readonly cron: string;
  readonly minutes: number;
  /** The expression in seconds: one begins so often, the first of 1970 at `firstSecond`. */
  readonly everySeconds: number;
  readonly firstSecond: number;
}

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

export const WINDOWS: readonly [Window, ...Window[]] = [
  { cron: '15 2 * * *', minutes: 90, everySeconds: DAY_S, firstSecond: 2.25 * HOUR_S },
  { cron: '0 */6 * * *', minutes: 20, everySeconds: 6 * HOUR_S, firstSecond: 0 },
  // 1970 began on a Thursday.
  {
    cron: '30 1 * * 0',
    minutes: 600,
    everySeconds: 7 * DAY_S,
    firstSecond: 3 * DAY_S + 1.5 * HOUR_S,
  },
];

/** Seconds until the window ends that is open at `second`; below 0, since the last one ended. */
export function leftOf({ minutes, everySeconds, firstSecond }: Window, second: number): number {
  const since = second - firstSecond;
  const into = since - Math.floor(since / everySeconds) * everySeconds;
  return minutes * 60 - into;
}
