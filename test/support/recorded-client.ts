import assert from 'node:assert/strict';
import { fromHex } from '#bytes/hex.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import type { Aarq } from '#protocol/dlms/acse.ts';
import { APPLICATION_CONTEXT, MECHANISM, decodeAarq } from '#protocol/dlms/acse.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { Association } from '#protocol/dlms/client/agreement.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { conformanceFrom } from '#protocol/dlms/conformance.ts';
import { LOWEST, highAuthenticator, lowAuthenticator } from '#protocol/dlms/hls.ts';
import { decodeInitiateRequest } from '#protocol/dlms/initiate.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator, Protection } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { machineCiphers } from '#system/ciphers.ts';
import type { Side } from './recorded-entropy.ts';
import {
  cipherKeysOf,
  isAuthenticating,
  mechanismOf,
  recordedCounters,
  recordedProof,
} from './recorded-entropy.ts';
import type { ReplayedSession } from './replayed-server.ts';
import { isLeftOut } from './replayed-server.ts';
import type { Session, SessionFrame } from './sessions.ts';
import { apduIn, carriedIn } from './sessions.ts';
import { RAW_NAMES } from './raw-names.ts';

/**
 * A recorded session, to be played against our client: its challenges, counters, signatures and
 * invoke ids come from the recording, everything else is worked out.
 */
export function replayed(session: Session): ReplayedSession {
  const associating = associatingFrames(session.frames);
  let associations = 0;
  return {
    frames: session.frames,
    clientFor: () => {
      const frame = associating[associations];
      associations += 1;
      assert.ok(frame);
      return clientOf(session, frame);
    },
  };
}

/** The frame of each AARQ; of an association that stands, the first of all. */
function associatingFrames(frames: readonly SessionFrame[]): readonly SessionFrame[] {
  const asking = frames.filter((frame) => {
    return frame.dir === 'tx' && carriedIn(frame)[0] === APDU_TAG.aarq;
  });
  return asking.length === 0 ? frames.slice(0, 1) : asking;
}

/** Our client as the one that sent `frame`, whose AARQ it is. */
export function clientOf(session: Session, frame: SessionFrame): DlmsClient {
  const apdu = carriedIn(frame);
  const aarq = apdu[0] === APDU_TAG.aarq ? decodeAarq(apdu) : undefined;
  const counters = recordedCounters(session, 'client');
  const protection = protectionLike(session, 'client', aarq, counters);
  const short = aarq?.applicationContextName === APPLICATION_CONTEXT.SN;
  return new DlmsClient({
    link: linkLike(frame),
    referencing: short ? 'SN' : 'LN',
    authenticator: authenticatorLike(session, aarq, counters),
    ...(short ? { shortNames: RAW_NAMES } : {}),
    ...(aarq === undefined ? { preEstablished: PRE_ESTABLISHED } : {}),
    ...(protection === undefined ? {} : { protection }),
    ...(aarq?.callingApTitle === undefined ? {} : { clientTitle: aarq.callingApTitle }),
    ...initiateLike(aarq, frame),
    invokeIdOf: recordedInvokeIds(session.frames),
    blockWindow: session.id === 'j-gbt-window3-storm' ? 3 : 1,
    releaseWithInitiate: releasedWithInitiate(session.frames),
  });
}

function linkLike({ hex }: SessionFrame): ApduLink {
  const bytes = fromHex(hex);
  if (bytes[0] === 0x7e) {
    const { source: client, destination: server } = decodeHdlcFrame(bytes.subarray(1, -1));
    return new HdlcClientLink({ client, server });
  }
  const header = new DataView(bytes.buffer);
  return new WrapperLink({ client: header.getUint16(2), server: header.getUint16(4) });
}

/** RLRQ with no more than its reason. */
const BARE_RELEASE_BYTES = 8;

function releasedWithInitiate(frames: readonly SessionFrame[]): boolean {
  const releases = frames.filter(({ dir }) => dir === 'tx').map(carriedIn);
  return releases.some(({ 0: tag, length }) => {
    return tag === APDU_TAG.rlrq && length > BARE_RELEASE_BYTES;
  });
}

const INVOKING: readonly (number | undefined)[] = [
  APDU_TAG.getRequest,
  APDU_TAG.setRequest,
  APDU_TAG.actionRequest,
];
const NEXT = 2;

/** One for each request that is not for the next block of an answer. */
function recordedInvokeIds(frames: readonly SessionFrame[]): () => number {
  const ids = frames.flatMap((frame) => {
    const [tag, form, id = 0] = frame.dir === 'tx' ? apduIn(frame) : [];
    const asks = INVOKING.includes(tag) && form !== NEXT && !isLeftOut(apduIn(frame), false);
    return asks ? [id] : [];
  });
  return () => ids.shift() ?? 0xc1;
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
  const { dedicatedKey, proposedConformance, clientMaxReceivePduSize } =
    decodeInitiateRequest(bytes);
  return {
    proposedConformance: conformanceFrom(proposedConformance),
    clientMaxReceivePduSize,
    ...(dedicatedKey === undefined ? {} : { dedicatedKey }),
  };
}

function authenticatorLike(
  session: Session,
  aarq: Aarq | undefined,
  counters: InvocationCounters,
): Authenticator {
  const { mechanismName = MECHANISM.lowest, callingAuthenticationValue: challenge } = aarq ?? {};
  if (challenge === undefined || mechanismName === MECHANISM.lowest) return LOWEST;
  if (mechanismName === MECHANISM.low) return lowAuthenticator(challenge);
  const ciphers: Ciphers = {
    ...machineCiphers,
    randomBytes: () => challenge,
    sign: () => recordedProof(session.frames, 'client'),
  };
  return highAuthenticator({
    mechanism: mechanismOf(session, 'client', counters),
    clientTitle: aarq?.callingApTitle ?? new Uint8Array(0),
    ciphers,
    toleratesReflection: true,
  });
}

/**
 * As that side protected: the recorded sides leave the service-specific form for the general one
 * once the client is in, and the dedicated key comes in force then too.
 */
export function protectionLike(
  { keys, frames }: Session,
  side: Side,
  aarq: Aarq | undefined,
  counters: InvocationCounters,
): Protection | undefined {
  const clear = aarq?.applicationContextName === APPLICATION_CONTEXT.LN;
  if (clear || keys?.['guek'] === undefined) return undefined;
  const options = {
    suite: 0,
    ownTitle: fromHex(keys[`${side}SystemTitle`] ?? ''),
    keys: cipherKeysOf(keys),
    policy: 'require',
    level: 'authenticated-and-encrypted',
    cipher: machineCiphers.aesGcm,
    counters,
  } as const;
  const proving = gloDedProtection({ ...options, form: formOf(frames, isProof) });
  const key = keys['dedicatedKey'] === undefined ? 'unicast' : 'dedicated';
  const form = formOf(frames, (apdu) => !isProof(apdu));
  const serving = gloDedProtection({ ...options, form, key });
  let title: Uint8Array | undefined;
  return {
    overheadBytes: serving.overheadBytes,
    protect: (apdu) => (isProof(apdu) ? proving : serving).protect(apdu),
    unprotect: (apdu, peerTitle) => {
      title = peerTitle ?? title;
      return (isUnicast(apdu) ? proving : serving).unprotect(apdu, title);
    },
  };
}

/** The form in which the first such service went. */
function formOf(
  frames: readonly SessionFrame[],
  meant: (apdu: Uint8Array) => boolean,
): 'service-specific' | 'general' {
  const first = frames.find(({ plaintext }) => {
    return plaintext !== undefined && meant(fromHex(plaintext));
  });
  const [tag] = first === undefined ? [] : carriedIn(first);
  const general = tag === APDU_TAG.generalGloCiphering || tag === APDU_TAG.generalDedCiphering;
  return general ? 'general' : 'service-specific';
}

/** No other method of the association is called in these sessions. */
function isProof(apdu: Uint8Array): boolean {
  return isAuthenticating(apdu) || isProofAnswer(apdu);
}

function isProofAnswer(apdu: Uint8Array): boolean {
  return apdu[0] === APDU_TAG.actionResponse && apdu.length > PROOF_ANSWER_BYTES;
}

/** A method that returns nothing answers in fewer. */
const PROOF_ANSWER_BYTES = 8;

/** Service-specific under the global key. */
function isUnicast([tag = 0]: Uint8Array): boolean {
  return tag < APDU_TAG.dedGetRequest;
}
