import { OperatingError, errorOf } from '#bytes/failure.ts';
import type { Aare, Aarq } from '../acse.ts';
import { APPLICATION_CONTEXT, MECHANISM, decodeAare, encodeAarq, encodeRlrq } from '../acse.ts';
import type { ConformanceBit } from '../conformance.ts';
import { bitsOfConformance, conformanceFrom } from '../conformance.ts';
import type { InitiateResponse } from '../initiate.ts';
import { DLMS_VERSION, decodeInitiateResponse, encodeInitiateRequest } from '../initiate.ts';
import type { Authenticator, HighAuthentication, Protection } from '../protection.ts';
import { IN_CLEAR } from '../protection.ts';
import type { ActionItem, ServiceResult } from '../service.ts';
import type { Association } from './agreement.ts';
import { associationRefused } from './diagnostics.ts';
import type { Exchange } from './exchange.ts';
import { throwRefusal } from './exchange.ts';

/** What a client proposes; all but the references have what most meters take. */
export interface AssociationOptions {
  readonly referencing: 'LN' | 'SN';
  readonly authenticator: Authenticator;
  /** Set for a ciphered context: protects the InitiateRequest too. */
  readonly protection?: Protection;
  readonly clientTitle?: Uint8Array;
  /** Known in advance; else the server says its own when it answers. */
  readonly serverTitle?: Uint8Array;
  readonly dedicatedKey?: Uint8Array;
  /** The client's certificate for digital signature. */
  readonly clientCertificate?: Uint8Array;
  readonly userId?: number;
  readonly proposedConformance?: Iterable<ConformanceBit>;
  readonly clientMaxReceivePduSize?: number;
  /** Some servers want the InitiateRequest again in an RLRQ in clear. */
  readonly releaseWithInitiate?: boolean;
}

/** What a client proposes with logical names unless told otherwise. */
export const LN_CONFORMANCE: readonly ConformanceBit[] = [
  'generalBlockTransfer',
  'blockTransferWithGetOrRead',
  'blockTransferWithSetOrWrite',
  'blockTransferWithAction',
  'multipleReferences',
  'priorityManagementSupported',
  'get',
  'set',
  'selectiveAccess',
  'eventNotification',
  'action',
];

const SN_CONFORMANCE: readonly ConformanceBit[] = [
  'read',
  'write',
  'unconfirmedWrite',
  'blockTransferWithGetOrRead',
  'blockTransferWithSetOrWrite',
  'multipleReferences',
  'informationReport',
  'parameterizedAccess',
];

const PDU_BYTES_MAX = 0xffff;
/** Authentication functional unit: one bit, of eight (Annex C). */
const AUTHENTICATION_UNIT = Uint8Array.of(0x07, 0x80);

/** An association, and what the server wants proven before anything else is asked. */
interface Challenged {
  readonly association: Association;
  readonly challenge: Uint8Array;
}

/**
 * Associates: AARQ and AARE (IEC 62056-5-3, 6.2), then, with a high mechanism, the proof of both
 * sides by `act`, a service of the association. Errors: `association-refused` with the diagnostic
 * in words, `dlms-version`, `challenge-missing`, those of `authenticate` and of the decoders.
 */
export function* associate(
  options: AssociationOptions,
  act: (item: ActionItem) => Exchange<readonly ServiceResult[]>,
): Exchange {
  const answer = yield { kind: 'send', apdu: encodeAarq(aarqOf(options)) };
  throwRefusal(answer);
  const aare = decodeAare(answer);
  if (aare.result !== ACCEPTED) throw errorOf(associationRefused(aare));
  const association = agreed(aare, options);
  const { high } = options.authenticator;
  const challenge = high === undefined ? undefined : challengeOf(aare);
  yield { kind: 'agreed', association };
  if (high === undefined || challenge === undefined) return;
  yield* authenticate(high, { association, challenge }, act);
}

function challengeOf({ respondingAuthenticationValue }: Aare): Uint8Array {
  if (respondingAuthenticationValue !== undefined) return respondingAuthenticationValue;
  throw new OperatingError('challenge-missing', 'the meter sent no challenge of its own', {
    field: 'responding-authentication-value',
  });
}

const ACCEPTED = 0;

function agreed(aare: Aare, options: AssociationOptions): Association {
  const serverTitle = aare.respondingApTitle ?? options.serverTitle;
  const response = initiateResponseOf(aare, options.protection, serverTitle);
  const { negotiatedConformance, serverMaxReceivePduSize, vaaName } = response;
  return {
    referencing: options.referencing,
    conformance: conformanceFrom(negotiatedConformance),
    serverMaxReceivePduSize,
    ...(serverTitle === undefined ? {} : { serverTitle }),
    vaaName,
  };
}

/**
 * Passes 3 and 4 of a high mechanism (5.2.2.2.3).
 * Errors: `authentication-failed` when the server refuses the reply, `not-authentic` when it does
 * not prove itself.
 */
function* authenticate(
  high: HighAuthentication,
  { association, challenge }: Challenged,
  act: (item: ActionItem) => Exchange<readonly ServiceResult[]>,
): Exchange {
  const title = association.serverTitle ?? new Uint8Array(0);
  const value = high.reply(challenge, title);
  const method = REPLY_TO_HLS[association.referencing];
  const [result] = yield* act({ method, parameters: { type: 'octet-string', value } });
  if (result?.kind === 'refused') throw authenticationFailed(result.result);
  const reply = result?.data;
  if (reply?.type !== 'octet-string') {
    throw new OperatingError('not-authentic', 'the meter did not prove itself');
  }
  const doubt = high.judge(reply.value, challenge, title);
  if (doubt !== undefined) throw errorOf(doubt);
}

/** reply_to_HLS_authentication of the current association (IEC 62056-6-2, 4.4.3, 4.4.4). */
const CURRENT_ASSOCIATION = Uint8Array.of(0, 0, 40, 0, 0, 255);
const REPLY_TO_HLS = {
  LN: { classId: 15, instanceId: CURRENT_ASSOCIATION, methodId: 1 },
  SN: { classId: 12, instanceId: CURRENT_ASSOCIATION, methodId: 8 },
} as const;

function authenticationFailed(word: string): OperatingError {
  return new OperatingError('authentication-failed', `the meter refused the proof: ${word}`, {
    hint: 'compare secret and keys with what the meter was given',
  });
}

/** RLRQ, with the InitiateRequest where the context is ciphered (6.3). */
export function* release(options: AssociationOptions): Exchange {
  const { protection, releaseWithInitiate = protection !== undefined } = options;
  const user = releaseWithInitiate ? { userInformation: userInformationOf(options) } : {};
  yield { kind: 'send', apdu: encodeRlrq({ reason: 0, ...user }) };
}

function aarqOf(options: AssociationOptions): Aarq {
  const { referencing, protection, clientTitle, clientCertificate, userId } = options;
  const { mechanismName, callingAuthenticationValue } = options.authenticator;
  const context = protection === undefined ? referencing : (`${referencing}-ciphered` as const);
  const authenticated = mechanismName !== MECHANISM.lowest;
  return {
    applicationContextName: APPLICATION_CONTEXT[context],
    ...(clientTitle === undefined ? {} : { callingApTitle: clientTitle }),
    ...(clientCertificate === undefined ? {} : { callingAeQualifier: clientCertificate }),
    ...(userId === undefined ? {} : { callingAeInvocationId: userId }),
    ...(authenticated ? { senderAcseRequirements: AUTHENTICATION_UNIT, mechanismName } : {}),
    ...(callingAuthenticationValue === undefined ? {} : { callingAuthenticationValue }),
    userInformation: userInformationOf(options),
  };
}

function userInformationOf(options: AssociationOptions): Uint8Array {
  const initiate = initiateRequestOf(options);
  return options.protection?.protect(initiate) ?? initiate;
}

function initiateRequestOf(options: AssociationOptions): Uint8Array {
  const { referencing, dedicatedKey, proposedConformance } = options;
  const conformance = referencing === 'LN' ? LN_CONFORMANCE : SN_CONFORMANCE;
  return encodeInitiateRequest({
    ...(dedicatedKey === undefined ? {} : { dedicatedKey }),
    responseAllowed: true,
    proposedDlmsVersionNumber: DLMS_VERSION,
    proposedConformance: bitsOfConformance(proposedConformance ?? conformance),
    clientMaxReceivePduSize: options.clientMaxReceivePduSize ?? PDU_BYTES_MAX,
  });
}

function initiateResponseOf(
  { userInformation }: Aare,
  protection: Protection | undefined,
  serverTitle: Uint8Array | undefined,
): InitiateResponse {
  if (userInformation === undefined) {
    throw new OperatingError('missing-field', 'no user information', {
      field: 'user-information',
    });
  }
  const { apdu } = (protection ?? IN_CLEAR).unprotect(userInformation, serverTitle);
  throwRefusal(apdu);
  const response = decodeInitiateResponse(apdu);
  if (response.negotiatedDlmsVersionNumber === DLMS_VERSION) return response;
  const message = `DLMS version ${response.negotiatedDlmsVersionNumber}`;
  throw new OperatingError('dlms-version', message, { field: 'negotiated-dlms-version-number' });
}
