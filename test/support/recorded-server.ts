import assert from 'node:assert/strict';
import { fromHex } from '#bytes/hex.ts';
import type { Aare, Aarq } from '#protocol/dlms/acse.ts';
import { APPLICATION_CONTEXT, MECHANISM, decodeAare, decodeAarq } from '#protocol/dlms/acse.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { conformanceFrom } from '#protocol/dlms/conformance.ts';
import { GET_RESPONSE } from '#protocol/dlms/get.ts';
import { serverAuthenticator } from '#protocol/dlms/hls.ts';
import { decodeInitiateResponse } from '#protocol/dlms/initiate.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import type { ServedNames } from '#protocol/dlms/server/served-short-names.ts';
import type { DlmsServerOptions } from '#protocol/dlms/server/server.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import { decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { machineCiphers } from '#system/ciphers.ts';
import { protectionLike } from './recorded-client.ts';
import { mechanismOf, recordedCounters, recordedProof } from './recorded-entropy.ts';
import type { RecordedValues } from './recorded-values.ts';
import type { Session, SessionFrame } from './sessions.ts';
import { apduIn, apdusOf, carriedIn, framingOf } from './sessions.ts';

/** Our server as the one that answered the AARQ of `frame`, or `frame` itself without one. */
export function serverOf(
  session: Session,
  frame: SessionFrame,
  objects: RecordedValues,
): DlmsServer {
  const { frames } = session;
  const aarq = aarqIn(frame);
  const answer = frames.slice(frames.indexOf(frame)).find(isAare);
  const aare = answer && decodeAare(carriedIn(answer));
  const counters = recordedCounters(session, 'server');
  const protection = protectionLike(session, 'server', aarq, counters);
  const common = {
    link: linkLike(session, frame),
    objects,
    ...(protection === undefined ? {} : { protection }),
    apduBytesMax: longestAnswer(session),
    blockBytesOf: recordedBlocks(frames),
  };
  if (aarq === undefined) return new DlmsServer({ ...common, ...PRE_ESTABLISHED });
  assert.ok(answer && aare);
  return new DlmsServer({
    ...common,
    ...(aarq.applicationContextName === APPLICATION_CONTEXT.SN ? SHORT : {}),
    ...authenticationLike(session, aarq, aare, counters),
    ...negotiatedLike(aare, answer),
    ...(aare.respondingApTitle === undefined ? {} : { serverTitle: aare.respondingApTitle }),
  });
}

const PRE_ESTABLISHED = {
  mechanismName: MECHANISM.lowest,
  preEstablished: {
    conformance: conformanceFrom(0),
    clientMaxReceivePduSize: 0xffff,
    proofDue: false,
  },
};

/** The other direction of `RAW_NAMES`. */
const RAW: ServedNames = {
  find: (name) => {
    const instanceId = Uint8Array.of(0, 0, 0, 0, name >> 8, name);
    return { kind: 'attribute', attribute: { classId: 0, instanceId, attributeId: 1 } };
  },
};
const SHORT = { referencing: 'SN', shortNames: RAW } as const;

export function aarqIn(frame: SessionFrame): Aarq | undefined {
  const apdu = carriedIn(frame);
  return apdu[0] === APDU_TAG.aarq ? decodeAarq(apdu) : undefined;
}

function isAare(frame: SessionFrame): boolean {
  return frame.dir === 'rx' && carriedIn(frame)[0] === APDU_TAG.aare;
}

function linkLike(session: Session, { hex }: SessionFrame): ApduLink {
  const bytes = fromHex(hex);
  if (framingOf(session) === 'hdlc') {
    const { destination: server } = decodeHdlcFrame(bytes.subarray(1, -1));
    return new HdlcServerLink({ server, segmentBytes: longestSegment(session) });
  }
  const header = new DataView(bytes.buffer);
  return wrapperServerLink({ client: header.getUint16(2), server: header.getUint16(4) });
}

/** Gurux counts its LLC header against every segment, and so sends less than was agreed. */
function longestSegment({ frames }: Session): number {
  const answers = frames.filter(({ dir }) => dir === 'rx').map(({ hex }) => fromHex(hex));
  const segments = answers.map((bytes) => decodeHdlcFrame(bytes.subarray(1, -1)));
  return Math.max(...segments.map(({ information }) => information.length));
}

/** Room for lengths that are written longer than they need be. */
const LENGTHS_BYTES = 8;

/** The most that the recorded server sent at once; general blocks are all of that size. */
function longestAnswer(session: Session): number {
  const answers = apdusOf(session).filter(({ dir }) => dir === 'rx');
  const longest = Math.max(...answers.map(({ bytes }) => bytes.length));
  const blocks = answers.some(({ bytes: [tag] }) => tag === APDU_TAG.generalBlockTransfer);
  return blocks ? longest : longest + LENGTHS_BYTES;
}

/** It ended its blocks where it liked. */
function recordedBlocks(frames: readonly SessionFrame[]): () => number {
  const answers = apdusIn(frames).filter(([tag]) => tag === APDU_TAG.getResponse);
  const lengths = answers.flatMap((apdu) => {
    const { value: response } = GET_RESPONSE.decodeLeading(apdu);
    if (response.kind !== 'get-response-with-datablock') return [];
    const { result } = response.result;
    return result.kind === 'raw-data' ? [result.rawData.length] : [];
  });
  return () => (lengths.length > 1 ? lengths.shift() : lengths[0]) ?? Infinity;
}

/** What the server sent, in clear. */
function apdusIn(frames: readonly SessionFrame[]): readonly Uint8Array[] {
  const ciphered = frames.some(({ plaintext }) => plaintext !== undefined);
  const answers = frames.filter(({ dir }) => dir === 'rx');
  if (ciphered) return answers.map(apduIn);
  const whole = apdusOf({ id: '', who: '', desc: '', keys: null, derived: {}, frames });
  return whole.flatMap(({ dir, bytes }) => (dir === 'rx' ? [bytes] : []));
}

function authenticationLike(
  session: Session,
  { mechanismName = MECHANISM.lowest }: Aarq,
  { respondingAuthenticationValue: challenge, respondingApTitle }: Aare,
  counters: InvocationCounters,
): Pick<DlmsServerOptions, 'mechanismName' | 'secret' | 'authenticatorFor'> {
  const secret = new TextEncoder().encode(session.keys?.['password'] ?? '');
  if (challenge === undefined) return { mechanismName, secret };
  const authenticatorFor = (): Authenticator =>
    serverAuthenticator({
      mechanism: mechanismOf(session, 'server', counters),
      serverTitle: respondingApTitle ?? new Uint8Array(0),
      ciphers: {
        ...machineCiphers,
        randomBytes: () => challenge,
        sign: () => recordedProof(session.frames, 'server'),
      },
    });
  return { mechanismName, authenticatorFor };
}

function negotiatedLike({ userInformation }: Aare, { initiate_plaintext: hex }: SessionFrame) {
  const bytes = hex === undefined ? userInformation : fromHex(hex);
  const { negotiatedConformance, serverMaxReceivePduSize } = decodeInitiateResponse(
    bytes ?? new Uint8Array(0),
  );
  return { conformance: conformanceFrom(negotiatedConformance), serverMaxReceivePduSize };
}
