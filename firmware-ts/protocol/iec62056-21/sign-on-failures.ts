import type { Failure } from '#bytes/failure.ts';
import type { Identification } from './identification.ts';

export function notOffered({ manufacturer, identification }: Identification): Failure {
  return {
    code: 'hdlc-not-offered',
    message: `the meter ${manufacturer} ${identification} does not offer the binary mode (HDLC)`,
    hint: 'read it out in mode C, or insist: some meters have it and do not say so',
  };
}

export const NO_ANSWER: Failure = {
  code: 'no-answer',
  message: 'no meter identifies itself (IEC 62056-21)',
  hint: 'check that the head sits right, its supply, the device address and the first baud rate',
};
export const UNREADABLE: Failure = {
  code: 'bad-identification',
  message: 'something answers, and it is no identification',
  hint: 'baud rate or parity may be wrong: meters listen at 300 Bd, 7E1; or the head is loose',
};
export const NO_DATA: Failure = {
  code: 'no-answer',
  message: 'the meter identifies itself and sends no data',
  hint: 'keep it at the first baud rate (rateMax): the head may not manage the higher one',
};
export const CUT: Failure = {
  code: 'truncated',
  message: 'the read-out broke off',
  hint: 'check the head; keep the first baud rate',
};
export const BAD_BCC: Failure = {
  code: 'bad-bcc',
  message: 'the block check character of the read-out does not fit',
  hint: 'check the head; keep the first baud rate',
};
