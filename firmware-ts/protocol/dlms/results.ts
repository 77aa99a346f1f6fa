import type { Failure } from '#bytes/failure.ts';
import type { Data } from './data.ts';
import type { Layout } from './layout.ts';
import { DATA, U8, choice, only } from './layout.ts';

/** Data-Access-Result (IEC 62056-5-3, 8.4). Action-Result has the same numbers. */
export const DATA_ACCESS_RESULT = {
  success: 0,
  'hardware-fault': 1,
  'temporary-failure': 2,
  'read-write-denied': 3,
  'object-undefined': 4,
  'object-class-inconsistent': 9,
  'object-unavailable': 11,
  'type-unmatched': 12,
  'scope-of-access-violated': 13,
  'data-block-unavailable': 14,
  'long-get-aborted': 15,
  'no-long-get-in-progress': 16,
  'long-set-aborted': 17,
  'no-long-set-in-progress': 18,
  'data-block-number-invalid': 19,
  'other-reason': 250,
} as const;

export type DataAccessWord = keyof typeof DATA_ACCESS_RESULT;

/** Get-Data-Result. */
export type GetDataResult =
  | { readonly kind: 'data'; readonly data: Data }
  | { readonly kind: 'data-access-result'; readonly result: number };

export const GET_DATA_RESULT: Layout<GetDataResult> = choice<GetDataResult>({
  data: [0, only('data', DATA)],
  'data-access-result': [1, only('result', U8)],
});

/** The standard's word for a data-access-result. */
export function dataAccessWord(result: number): string {
  const found = Object.entries(DATA_ACCESS_RESULT).find(([, number]) => number === result);
  return found?.[0] ?? `result ${result}`;
}

/** The standard's word for an action-result: 15 and 16 are of a long action. */
export function actionWord(result: number): string {
  return dataAccessWord(result).replace('long-get', 'long-action');
}

const DENIED: readonly string[] = ['read-write-denied', 'scope-of-access-violated'];
const MISSING: readonly string[] = [
  'object-undefined',
  'object-unavailable',
  'object-class-inconsistent',
];
const LATER: readonly string[] = ['temporary-failure', 'hardware-fault'];

/** What a refusal means for whoever asked, and what to try next. */
export function refusalOf(word: string): Failure {
  const message = `the meter answered ${word}`;
  if (DENIED.includes(word)) {
    const hint = 'associate with a client and mechanism that have the right to this object';
    return { code: 'access-denied', message, hint };
  }
  if (MISSING.includes(word)) {
    const hint = 'see what this meter has with `normctl meter objects`';
    return { code: 'object-missing', message, hint };
  }
  if (LATER.includes(word)) {
    return { code: 'temporary-failure', message, hint: 'try again in a minute' };
  }
  const hint = 'compare type and range with what is there, and the part of it that was asked for';
  return { code: 'access-failed', message, hint };
}
