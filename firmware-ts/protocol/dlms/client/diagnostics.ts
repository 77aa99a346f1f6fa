import type { Failure } from '#bytes/failure.ts';
import type { Aare } from '../acse.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { CONFIRMED_SERVICE_ERROR, serviceErrorWords } from '../errors.ts';

/** Acse-service-user diagnostics (IEC 62056-5-3, Annex C: Associate-source-diagnostic). */
const USER_DIAGNOSTICS: Readonly<Record<number, string>> = {
  0: 'null',
  1: 'no-reason-given',
  2: 'application-context-name-not-supported',
  3: 'calling-AP-title-not-recognized',
  4: 'calling-AP-invocation-identifier-not-recognized',
  5: 'calling-AE-qualifier-not-recognized',
  6: 'calling-AE-invocation-identifier-not-recognized',
  7: 'called-AP-title-not-recognized',
  8: 'called-AP-invocation-identifier-not-recognized',
  9: 'called-AE-qualifier-not-recognized',
  10: 'called-AE-invocation-identifier-not-recognized',
  11: 'authentication-mechanism-name-not-recognised',
  12: 'authentication-mechanism-name-required',
  13: 'authentication-failure',
  14: 'authentication-required',
};

const PROVIDER_DIAGNOSTICS: Readonly<Record<number, string>> = {
  0: 'null',
  1: 'no-reason-given',
  2: 'no-common-acse-version',
};

const HINTS: Readonly<Record<string, string>> = {
  'application-context-name-not-supported':
    'this client address takes another context: ciphered or not, long or short names',
  'calling-AP-title-not-recognized': 'the meter wants a system title of the client: set one',
  'authentication-mechanism-name-not-recognised':
    'this client address wants another mechanism: try another one, or another client address',
  'authentication-mechanism-name-required': 'this client address wants authentication',
  'authentication-failure': 'compare the password or secret with what the meter was given',
  'authentication-required': 'this client address wants authentication',
};

/** The standard's word for why, whether the association was accepted or not. */
export function diagnosticWord({ resultSourceDiagnostic: { source, diagnostic } }: Aare): string {
  const words = source === 'service-user' ? USER_DIAGNOSTICS : PROVIDER_DIAGNOSTICS;
  return words[diagnostic] ?? `diagnostic ${diagnostic}`;
}

export function associationRefused(aare: Aare): Failure {
  const word = diagnosticWord(aare);
  const transient = aare.result === 2 && word !== 'authentication-failure';
  const duration = aare.result === 2 ? 'for now' : 'for good';
  const told = initiateErrorIn(aare);
  const why = told === undefined ? word : `${word}, ${told}`;
  const message = `the meter refused the association ${duration}: ${why}`;
  const hint = HINTS[word] ?? (transient ? 'it may be busy with another client' : undefined);
  const code = transient ? 'association-postponed' : 'association-refused';
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

/** The initiate error is the better word where the diagnostic has none (IEC 62056-5-3, 6.2). */
function initiateErrorIn({ userInformation }: Aare): string | undefined {
  if (userInformation?.[0] !== APDU_TAG.confirmedServiceError) return undefined;
  return serviceErrorWords(CONFIRMED_SERVICE_ERROR.decodeLeading(userInformation).value);
}
