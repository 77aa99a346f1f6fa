const STEPS: readonly (readonly [name: string, bytes: number])[] = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];

/** `4.1 kB`; exact below a thousand. */
export function bytesText(bytes: number): string {
  const [name, unit] = STEPS.find(([, least]) => bytes >= least) ?? ['B', 1];
  return unit === 1 ? `${bytes} B` : `${(bytes / unit).toFixed(1)} ${name}`;
}

const AGES: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** `3 h`, in whole ones of the largest unit; what lies ahead is `0 s` old: a clock was set. */
export function ageText(ms: number): string {
  if (Number.isNaN(ms)) return '-'; // a year that no clock shows
  const [name, unit] = AGES.find(([, least]) => ms >= least) ?? ['s', 1000];
  return `${Math.max(0, Math.floor(ms / unit))} ${name}`;
}
