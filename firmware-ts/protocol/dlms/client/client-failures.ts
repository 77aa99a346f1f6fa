import type { Failure } from '#bytes/failure.ts';

export const NO_ANSWER: Failure = {
  code: 'no-answer',
  message: 'the meter did not answer',
  hint: 'check address, client and line; a slow meter needs a longer time-out',
};

export const NOT_ASSOCIATED: Failure = {
  code: 'not-associated',
  message: 'there is no association',
};
export const NOTHING_BEGUN: Failure = { code: 'not-associated', message: 'no value is being read' };
