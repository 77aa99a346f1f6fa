import { fromHex } from '#bytes/hex.ts';
import { MECHANISM, decodeAare, decodeAarq, decodeRlrq } from '#protocol/dlms/acse.ts';
import { ACTION_REQUEST, ACTION_RESPONSE } from '#protocol/dlms/action.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import { keyPairOf } from '#system/ciphers.ts';
import { isLeftOut } from './replayed-server.ts';
import type { Session, SessionFrame } from './sessions.ts';
import { apduIn, carriedIn } from './sessions.ts';

export type Side = 'client' | 'server';

const DIRECTION = { client: 'tx', server: 'rx' } as const;

/** The mechanism of a session as `side` uses it. */
export function mechanismOf(
  { keys, derived }: Session,
  side: Side,
  counters: InvocationCounters,
): HighMechanism {
  const secret = new TextEncoder().encode(keys?.['secret'] ?? '');
  const peer = side === 'client' ? 'server' : 'client';
  switch (derived['mech']) {
    case MECHANISM['high-md5']:
      return { name: 'high-md5', secret };
    case MECHANISM['high-sha1']:
      return { name: 'high-sha1', secret };
    case MECHANISM['high-sha256']:
      return { name: 'high-sha256', secret };
    case MECHANISM['high-gmac']:
      return { name: 'high-gmac', suite: 0, keys: cipherKeysOf(keys), counters };
    case MECHANISM['high-ecdsa']: {
      const own = keyPairOf('P-256', fromHex(keys?.[`${side}Private`] ?? ''));
      return { name: 'high-ecdsa', own, peer: fromHex(keys?.[`${peer}Public`] ?? '') };
    }
    default:
      return { name: 'high', secret };
  }
}

export function cipherKeysOf(keys: Session['keys']): CipherKeys {
  return {
    encryption: fromHex(keys?.['guek'] ?? ''),
    authentication: fromHex(keys?.['gak'] ?? ''),
    ...(keys?.['dedicatedKey'] === undefined ? {} : { dedicated: fromHex(keys['dedicatedKey']) }),
  };
}

/**
 * Counters in the order in which that side took them; behind the last it goes on. What is sent in
 * general blocks does not show its counter: servers that send such count by one.
 */
export function recordedCounters({ keys, frames }: Session, side: Side): InvocationCounters {
  const sent = frames.filter(({ dir }) => dir === DIRECTION[side]);
  const shown = keys?.['guek'] === undefined ? [] : sent.flatMap(countersIn);
  const blocks = sent.some((frame) => carriedIn(frame)[0] === APDU_TAG.generalBlockTransfer);
  const numbers = blocks && side === 'server' ? shown.slice(0, 1) : shown;
  let last = -1;
  return {
    next() {
      last = numbers.shift() ?? last + 1;
      return last;
    },
  };
}

function countersIn(frame: SessionFrame): readonly number[] {
  const apdu = apduIn(frame);
  if (isLeftOut(apdu, false)) return [];
  const proof = proofIn(apdu);
  const inProof = proof?.length === 17 ? [counterOf(proof)] : [];
  const counter = counterIn(carriedIn(frame));
  return counter === undefined ? inProof : [...inProof, counter];
}

function counterOf(content: Uint8Array): number {
  return new DataView(content.slice().buffer).getUint32(1);
}

/** Of a ciphered APDU, or of the beginning of one. */
function counterIn(apdu: Uint8Array): number | undefined {
  const [tag = 0, first = 0] = apdu;
  switch (tag) {
    case APDU_TAG.aarq:
      return counterIn(decodeAarq(apdu).userInformation ?? NOTHING);
    case APDU_TAG.aare:
      return counterIn(decodeAare(apdu).userInformation ?? NOTHING);
    case APDU_TAG.rlrq:
      return counterIn(decodeRlrq(apdu).userInformation ?? NOTHING);
    case APDU_TAG.generalGloCiphering:
    case APDU_TAG.generalDedCiphering:
      return counterOf(behindLength(apdu.subarray(2 + first)));
    case APDU_TAG.gloInitiateRequest:
    case APDU_TAG.gloInitiateResponse:
      return counterOf(behindLength(apdu.subarray(1)));
    default:
      if (tag < APDU_TAG.gloGetRequest || tag > APDU_TAG.dedActionResponse) return undefined;
      return counterOf(behindLength(apdu.subarray(1)));
  }
}

const NOTHING = new Uint8Array(0);
const LONG_LENGTH = 0x80;

function behindLength(bytes: Uint8Array): Uint8Array {
  const [first = 0] = bytes;
  return bytes.subarray(first < LONG_LENGTH ? 1 : 1 + (first & ~LONG_LENGTH));
}

/** What that side proved itself with. */
export function recordedProof(frames: readonly SessionFrame[], side: Side): Uint8Array {
  const sent = frames.filter(({ dir }) => dir === DIRECTION[side]);
  const proofs = sent.map((frame) => proofIn(apduIn(frame)));
  return proofs.find((proof) => proof !== undefined) ?? new Uint8Array(0);
}

const ASSOCIATION_LN = 15;

/** Whether this calls reply_to_HLS_authentication. */
export function isAuthenticating(apdu: Uint8Array): boolean {
  return apdu[0] === APDU_TAG.actionRequest && apdu[4] === ASSOCIATION_LN;
}

/** What reply_to_HLS_authentication was called with, or answered. */
function proofIn(apdu: Uint8Array): Uint8Array | undefined {
  if (apdu[0] === APDU_TAG.actionResponse) {
    const response = ACTION_RESPONSE.decode(apdu);
    if (response.kind !== 'action-response-normal') return undefined;
    const { returnParameters: returned } = response.single;
    if (returned?.kind !== 'data' || returned.data.type !== 'octet-string') return undefined;
    return returned.data.value;
  }
  if (!isAuthenticating(apdu)) return undefined;
  const request = ACTION_REQUEST.decode(apdu);
  if (request.kind !== 'action-request-normal') return undefined;
  const { parameters } = request;
  return parameters?.type === 'octet-string' ? parameters.value : undefined;
}
