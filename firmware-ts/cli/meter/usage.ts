import { OperatingError } from '#bytes/failure.ts';

/** Errors: `usage`. */
export function numberIn(
  option: string,
  word: string | boolean | undefined,
  least: number,
  most: number,
): number {
  const value = typeof word === 'string' && /^\d+$/.test(word) ? Number(word) : NaN;
  if (value >= least && value <= most) return value;
  throw usage(`${option} takes a number from ${least} to ${most}`);
}

export function usage(message: string): OperatingError {
  return new OperatingError('usage', message, { hint: 'normctl help meter' });
}
