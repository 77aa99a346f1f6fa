import assert from 'node:assert/strict';
import { fromHex } from '#bytes/hex.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import type { Aarq } from '#protocol/dlms/acse.ts';
import { APPLICATION_CONTEXT, MECHANISM, decodeAarq } from '#protocol/dlms/acse.ts';
import { ACTION_REQUEST } from '#protocol/dlms/action.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { Association } from '#protocol/dlms/client/association.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { conformanceFrom } from '#protocol/dlms/conformance.ts';
import {
  decodeGeneralCiphering,
  decodeServiceCiphering,
} from '#protocol/dlms/general-ciphering.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { LOWEST, highAuthenticator } from '#protocol/dlms/hls.ts';
import type { InitiateRequest } from '#protocol/dlms/initiate.ts';
import { decodeInitiateRequest } from '#protocol/dlms/initiate.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator, Protection } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';
import type { ReplayedSession } from './replayed-server.ts';
import { isLeftOut } from './replayed-server.ts';
import type { Session, SessionFrame } from './sessions.ts';

const WRAPPER_BYTES = 8;
const HIGH: readonly (number | undefined)[] = [
  MECHANISM.high,
  MECHANISM['high-md5'],
  MECHANISM['high-sha1'],
  MECHANISM['high-gmac'],
  MECHANISM['high-sha256'],
  MECHANISM['high-ecdsa'],
];

/**
 * A recorded session with security, to be played against our client: its challenges, counters and
 * signatures come from the recording, everything else is worked out.
 */
export function securedSession(session: Session): ReplayedSession {
  const clients = clientFrames(session.frames);
  let associations = 0;
  return {
    frames: session.frames,
    inClear: (frame) => inClear(frame, session.frames),
    clientFor: () => {
      const first = clients[associations];
      associations += 1;
      assert.ok(first);
      return clientOf(session, first);
    },
  };
}

/** The first frame of each association. */
function clientFrames(frames: readonly SessionFrame[]): readonly SessionFrame[] {
  const associating = frames.filter(({ dir, hex }) => dir === 'tx' && apduOf(hex)[0] === 0x60);
  return associating.length === 0 ? frames.slice(0, 1) : associating;
}

function apduOf(hex: string): Uint8Array {
  return fromHex(hex).subarray(WRAPPER_BYTES);
}

function inClear(frame: Uint8Array, frames: readonly SessionFrame[]): Uint8Array {
  const hex = Buffer.from(frame).toString('hex').toUpperCase();
  const plaintext = frames.find((one) => one.hex === hex)?.plaintext;
  return plaintext === undefined ? frame.subarray(WRAPPER_BYTES) : fromHex(plaintext);
}

/** Our client as the one that sent `first`, in the wrapper. */
export function clientOf(session: Session, first: SessionFrame): DlmsClient {
  const frame = fromHex(first.hex);
  const header = new DataView(frame.buffer);
  const link = new WrapperLink({ client: header.getUint16(2), server: header.getUint16(4) });
  const apdu = frame.subarray(WRAPPER_BYTES);
  const aarq = apdu[0] === APDU_TAG.aarq ? decodeAarq(apdu) : undefined;
  const counters = recordedCounters(session.frames);
  const authenticator = authenticatorLike(session, aarq, counters);
  const protection = protectionLike(session, aarq, counters);
  return new DlmsClient({
    link,
    referencing: 'LN',
    authenticator,
    ...(aarq === undefined ? { preEstablished: PRE_ESTABLISHED } : {}),
    ...(protection === undefined ? {} : { protection }),
    ...(aarq?.callingApTitle === undefined ? {} : { clientTitle: aarq.callingApTitle }),
    ...initiateLike(aarq, first),
    invokeIdOf: () => 0xc1,
    blockWindow: 1,
    releaseWithInitiate: true,
  });
}

const PRE_ESTABLISHED: Association = {
  referencing: 'LN',
  conformance: new Set(['get', 'set', 'action', 'blockTransferWithGetOrRead', 'selectiveAccess']),
  serverMaxReceivePduSize: 0,
  vaaName: 7,
};

function initiateLike(aarq: Aarq | undefined, { initiate_plaintext: plaintext }: SessionFrame) {
  const bytes = plaintext === undefined ? aarq?.userInformation : fromHex(plaintext);
  if (bytes === undefined) return {};
  const initiate: InitiateRequest = decodeInitiateRequest(bytes);
  const { dedicatedKey } = initiate;
  return {
    proposedConformance: conformanceFrom(initiate.proposedConformance),
    clientMaxReceivePduSize: initiate.clientMaxReceivePduSize,
    ...(dedicatedKey === undefined ? {} : { dedicatedKey }),
  };
}

function authenticatorLike(
  session: Session,
  aarq: Aarq | undefined,
  counters: InvocationCounters,
): Authenticator {
  const { mechanismName, callingAuthenticationValue: challenge } = aarq ?? {};
  if (challenge === undefined || !HIGH.includes(mechanismName)) return LOWEST;
  const ciphers: Ciphers = {
    ...machineCiphers,
    randomBytes: () => challenge,
    sign: () => recordedProof(session.frames),
  };
  return highAuthenticator({
    mechanism: mechanismOf(session, 'client', counters),
    clientTitle: aarq?.callingApTitle ?? new Uint8Array(0),
    ciphers,
    toleratesReflection: true,
  });
}

/** The mechanism of a session as `side` uses it. */
export function mechanismOf(
  { keys, derived }: Session,
  side: 'client' | 'server',
  counters: InvocationCounters,
): HighMechanism {
  const secret = new TextEncoder().encode(keys?.['secret'] ?? '');
  const peer = side === 'client' ? 'server' : 'client';
  switch (derived['mech']) {
    case MECHANISM['high-md5']:
      return { name: 'high-md5', secret };
    case MECHANISM['high-sha256']:
      return { name: 'high-sha256', secret };
    case MECHANISM['high-gmac']:
      return { name: 'high-gmac', suite: 0, keys: cipherKeys(keys), counters };
    case MECHANISM['high-ecdsa']: {
      const own = keyPairOf('P-256', fromHex(keys?.[`${side}Private`] ?? ''));
      return { name: 'high-ecdsa', own, peer: fromHex(keys?.[`${peer}Public`] ?? '') };
    }
    default:
      return { name: 'high', secret };
  }
}

function cipherKeys(keys: Session['keys']): CipherKeys {
  return {
    encryption: fromHex(keys?.['guek'] ?? ''),
    authentication: fromHex(keys?.['gak'] ?? ''),
    ...(keys?.['dedicatedKey'] === undefined ? {} : { dedicated: fromHex(keys['dedicatedKey']) }),
  };
}

/** The recorded clients leave the service-specific form for the general one once they are in. */
function protectionLike(
  { keys }: Session,
  aarq: Aarq | undefined,
  counters: InvocationCounters,
): Protection | undefined {
  const clear = aarq?.applicationContextName === APPLICATION_CONTEXT.LN;
  if (clear || keys?.['guek'] === undefined) return undefined;
  const options = {
    suite: 0,
    ownTitle: fromHex(keys['clientSystemTitle'] ?? ''),
    keys: cipherKeys(keys),
    policy: 'require',
    level: 'authenticated-and-encrypted',
    cipher: machineCiphers.aesGcm,
    counters,
  } as const;
  const specific = gloDedProtection({ ...options, form: 'service-specific' });
  const key = keys['dedicatedKey'] === undefined ? 'unicast' : 'dedicated';
  const general = gloDedProtection({ ...options, form: 'general', key });
  let title: Uint8Array | undefined;
  return {
    overheadBytes: general.overheadBytes,
    protect: (apdu) => (isAuthenticating(apdu) ? specific : general).protect(apdu),
    unprotect: (apdu, serverTitle) => {
      title = serverTitle ?? title;
      return (isService(apdu) ? specific : general).unprotect(apdu, title);
    },
  };
}

function isAuthenticating(apdu: Uint8Array): boolean {
  return apdu[0] === APDU_TAG.actionRequest && apdu[4] === 0x0f;
}

function isService(apdu: Uint8Array): boolean {
  return apdu[0] !== APDU_TAG.generalGloCiphering && apdu[0] !== APDU_TAG.generalDedCiphering;
}

/** Counters in the order in which the recorded client took them; behind the last it goes on. */
function recordedCounters(frames: readonly SessionFrame[]): InvocationCounters {
  const numbers = frames.filter(({ dir }) => dir === 'tx').flatMap(countersIn);
  let last = -1;
  return {
    next() {
      last = numbers.shift() ?? last + 1;
      return last;
    },
  };
}

function countersIn({ hex, plaintext }: SessionFrame): readonly number[] {
  const apdu = apduOf(hex);
  if (isLeftOut(plaintext === undefined ? apdu : fromHex(plaintext), false)) return [];
  const proof = plaintext === undefined ? proofIn(apdu) : proofIn(fromHex(plaintext));
  const inProof = proof?.length === 17 ? [counterOf(proof)] : [];
  const content = contentOf(apdu);
  return content === undefined ? inProof : [...inProof, counterOf(content)];
}

function counterOf(content: Uint8Array): number {
  return new DataView(content.slice().buffer).getUint32(1);
}

function contentOf(apdu: Uint8Array): Uint8Array | undefined {
  if (apdu[0] === APDU_TAG.aarq) {
    const user = decodeAarq(apdu).userInformation;
    return user?.[0] === APDU_TAG.gloInitiateRequest
      ? decodeServiceCiphering(user).content
      : undefined;
  }
  const [tag = 0] = apdu;
  if (tag === APDU_TAG.generalGloCiphering || tag === APDU_TAG.generalDedCiphering) {
    return decodeGeneralCiphering(apdu).content;
  }
  return tag >= APDU_TAG.gloGetRequest && tag <= APDU_TAG.dedActionResponse
    ? decodeServiceCiphering(apdu).content
    : undefined;
}

function recordedProof(frames: readonly SessionFrame[]): Uint8Array {
  const proofs = frames.map(({ hex }) => proofIn(apduOf(hex)));
  return proofs.find((proof) => proof !== undefined) ?? new Uint8Array(0);
}

/** What reply_to_HLS_authentication was called with. */
function proofIn(apdu: Uint8Array): Uint8Array | undefined {
  if (!isAuthenticating(apdu)) return undefined;
  const request = ACTION_REQUEST.decode(apdu);
  if (request.kind !== 'action-request-normal') return undefined;
  const { parameters } = request;
  return parameters?.type === 'octet-string' ? parameters.value : undefined;
}
