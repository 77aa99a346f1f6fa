import type { Failure } from '#bytes/failure.ts';

export const NO_ANSWER_TO_SNRM: Failure = {
  code: 'no-answer',
  message: 'the meter does not answer when the data link is set up (SNRM)',
  hint: 'check client and server address and their length, baud rate, format and the line',
};
export const NO_ANSWER: Failure = {
  code: 'no-answer',
  message: 'the meter has stopped answering on the data link',
  hint: 'check the line; allow a slow meter more time',
};
export const REFUSED: Failure = {
  code: 'link-refused',
  message: 'the meter refuses to set up the data link (DM)',
  hint: 'another client may be connected; it is let go after the inactivity time-out of the meter',
};
export const RESET: Failure = {
  code: 'link-reset',
  message: 'the meter has given up the data link (DM)',
  hint: 'its inactivity time-out may have passed, or it has restarted: begin anew',
};
export const STUCK: Failure = {
  code: 'out-of-sequence',
  message: 'the meter answers, and the exchange does not go on',
  hint: 'record the session; try a window of 1',
};
export const BUSY: Failure = {
  code: 'peer-busy',
  message: 'the meter has said for too long that it has nothing yet (RNR or RR)',
  hint: 'ask for less at a time, or allow it more time',
};
export const REJECTED_HINT =
  'record the session; try the default parameters: 128 octets, a window of 1';
