import { OperatingError } from '#bytes/failure.ts';
import type { Aare, Aarq } from '../acse.ts';
import { APPLICATION_CONTEXT, MECHANISM, encodeAare } from '../acse.ts';
import type { Conformance, ConformanceBit } from '../conformance.ts';
import { bitsOfConformance, conformanceFrom } from '../conformance.ts';
import { CONFIRMED_SERVICE_ERROR } from '../errors.ts';
import type { InitiateRequest } from '../initiate.ts';
import { DLMS_VERSION, decodeInitiateRequest, encodeInitiateResponse } from '../initiate.ts';
import { areEqual } from '../octets.ts';
import type { Authenticator, Protection } from '../protection.ts';

/** What a server lets one client do: its side of the application association. */
export interface ServerAssociationOptions {
  /** Logical names unless given. */
  readonly referencing?: 'LN' | 'SN';
  readonly mechanismName: number;
  /** The password (low). */
  readonly secret?: Uint8Array;
  /** The server's own challenge and proof (high); the client's is judged by it. */
  readonly authenticator?: Authenticator;
  readonly protection?: Protection;
  readonly serverTitle?: Uint8Array;
  readonly conformance?: Iterable<ConformanceBit>;
  readonly serverMaxReceivePduSize?: number;
}

/** An association as it stands, or the answer that refuses it. */
export interface Judged {
  readonly aare: Uint8Array;
  readonly accepted?: Accepted;
  /** What the password was, where one was wanted. */
  readonly guessed?: 'right' | 'wrong';
}

export interface Accepted {
  readonly conformance: Conformance;
  /** 0: no limit. */
  readonly clientMaxReceivePduSize: number;
  readonly clientChallenge?: Uint8Array;
  readonly clientTitle?: Uint8Array;
  /** Passes 3 and 4 have still to come; until then nothing else is served. */
  readonly proofDue: boolean;
}

const DIAGNOSTIC = {
  none: 0,
  contextNotSupported: 2,
  mechanismNotRecognised: 11,
  authenticationFailure: 13,
  authenticationRequired: 14,
} as const;

const ACCEPTED = 0;
const REJECTED = 1;
/** The base name of the association object, or of nothing (IEC 62056-5-3, 7.3.1). */
const VAA_NAME = { LN: 7, SN: 0xfa00 } as const;
const PDU_BYTES_MAX = 0xffff;
const AUTHENTICATION_UNIT = Uint8Array.of(0x07, 0x80);
/**
 * General block transfer is for those who ask for it: a client can take a profile row by row from
 * the blocks of GET, and from general ones only when all have come.
 */
const SERVED: Readonly<Record<'LN' | 'SN', readonly ConformanceBit[]>> = {
  LN: [
    'generalProtection',
    'blockTransferWithGetOrRead',
    'blockTransferWithSetOrWrite',
    'blockTransferWithAction',
    'multipleReferences',
    'access',
    'selectiveAccess',
    'get',
    'set',
    'action',
  ],
  SN: [
    'read',
    'write',
    'unconfirmedWrite',
    'blockTransferWithGetOrRead',
    'blockTransferWithSetOrWrite',
    'multipleReferences',
    'parameterizedAccess',
  ],
};

/** Judges an AARQ (IEC 62056-5-3, 6.2). Errors: those of `decodeInitiateRequest`, `unprotect`. */
export function judged(aarq: Aarq, options: ServerAssociationOptions): Judged {
  const { referencing = 'LN', protection } = options;
  const name = protection === undefined ? referencing : (`${referencing}-ciphered` as const);
  const context = APPLICATION_CONTEXT[name];
  if (aarq.applicationContextName !== context) {
    return refusal(context, DIAGNOSTIC.contextNotSupported);
  }
  const doubt = doubtOf(aarq, options);
  const guess = options.mechanismName === MECHANISM.low;
  if (doubt === DIAGNOSTIC.authenticationFailure) {
    return { ...refusal(context, doubt), guessed: 'wrong' };
  }
  if (doubt !== undefined) return refusal(context, doubt);
  const request = initiateRequestOf(aarq, options);
  if (request.proposedDlmsVersionNumber < DLMS_VERSION) return versionTooLow(context);
  return { ...acceptance(aarq, request, context, options), ...(guess && { guessed: 'right' }) };
}

/** The diagnostic of what is wrong with who asks. */
function doubtOf(aarq: Aarq, options: ServerAssociationOptions): number | undefined {
  const mechanism = aarq.mechanismName ?? MECHANISM.lowest;
  if (mechanism !== options.mechanismName) {
    const none = mechanism === MECHANISM.lowest;
    return none ? DIAGNOSTIC.authenticationRequired : DIAGNOSTIC.mechanismNotRecognised;
  }
  if (mechanism === MECHANISM.lowest) return undefined;
  const value = aarq.callingAuthenticationValue;
  const { secret } = options;
  const given = value !== undefined && secret !== undefined && areEqual(value, secret);
  const known = mechanism === MECHANISM.low ? given : value !== undefined;
  return known ? undefined : DIAGNOSTIC.authenticationFailure;
}

function initiateRequestOf(aarq: Aarq, { protection }: ServerAssociationOptions): InitiateRequest {
  const { userInformation, callingApTitle } = aarq;
  if (userInformation === undefined) {
    throw new OperatingError('missing-field', 'no user information', { field: 'user-information' });
  }
  const apdu = protection?.unprotect(userInformation, callingApTitle).apdu ?? userInformation;
  return decodeInitiateRequest(apdu);
}

function acceptance(
  aarq: Aarq,
  request: InitiateRequest,
  context: number,
  options: ServerAssociationOptions,
): Judged {
  const { authenticator, protection, serverTitle, referencing = 'LN' } = options;
  const proposed = conformanceFrom(request.proposedConformance);
  const able = Array.from(options.conformance ?? SERVED[referencing]);
  const served = able.filter((bit) => proposed.has(bit));
  const response = encodeInitiateResponse({
    negotiatedDlmsVersionNumber: DLMS_VERSION,
    negotiatedConformance: bitsOfConformance(served),
    serverMaxReceivePduSize: options.serverMaxReceivePduSize ?? PDU_BYTES_MAX,
    vaaName: VAA_NAME[referencing],
  });
  const high = authenticator?.high !== undefined;
  const aare: Aare = {
    applicationContextName: context,
    result: ACCEPTED,
    resultSourceDiagnostic: {
      source: 'service-user',
      diagnostic: high ? DIAGNOSTIC.authenticationRequired : DIAGNOSTIC.none,
    },
    ...(serverTitle === undefined ? {} : { respondingApTitle: serverTitle }),
    ...(high ? challengeOf(authenticator) : {}),
    userInformation: protection?.protect(response) ?? response,
  };
  return { aare: encodeAare(aare), accepted: acceptedOf(aarq, request, new Set(served), high) };
}

function challengeOf({ mechanismName, callingAuthenticationValue }: Authenticator): Partial<Aare> {
  return {
    responderAcseRequirements: AUTHENTICATION_UNIT,
    mechanismName,
    ...(callingAuthenticationValue === undefined
      ? {}
      : { respondingAuthenticationValue: callingAuthenticationValue }),
  };
}

function acceptedOf(
  { callingAuthenticationValue, callingApTitle }: Aarq,
  { clientMaxReceivePduSize }: InitiateRequest,
  conformance: Conformance,
  proofDue: boolean,
): Accepted {
  return {
    conformance,
    clientMaxReceivePduSize,
    ...(callingAuthenticationValue === undefined
      ? {}
      : { clientChallenge: callingAuthenticationValue }),
    ...(callingApTitle === undefined ? {} : { clientTitle: callingApTitle }),
    proofDue,
  };
}

function refusal(applicationContextName: number, diagnostic: number): Judged {
  const resultSourceDiagnostic = { source: 'service-user', diagnostic } as const;
  const aare = { applicationContextName, result: REJECTED, resultSourceDiagnostic };
  return { aare: encodeAare(aare) };
}

const INITIATE = { service: 1, group: 6, versionTooLow: 1 } as const;

function versionTooLow(applicationContextName: number): Judged {
  const { service, group, versionTooLow: value } = INITIATE;
  const userInformation = CONFIRMED_SERVICE_ERROR.encode({ service, group, value });
  const resultSourceDiagnostic = { source: 'service-user', diagnostic: 1 } as const;
  const aare = { applicationContextName, result: REJECTED, resultSourceDiagnostic };
  return { aare: encodeAare({ ...aare, userInformation }) };
}
