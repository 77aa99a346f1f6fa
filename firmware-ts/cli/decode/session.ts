import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { Deframer, FramedApdu, Framing } from '#protocol/dlms/deframer.ts';
import { deframerFor } from '#protocol/dlms/deframer.ts';
import { cipheringOf } from '#protocol/dlms/service-tags.ts';
import type { FramerEvent } from '#protocol/framer.ts';
import { decodeHdlcParameters } from '#protocol/hdlc/parameters.ts';
import type { Adapter } from './adapter.ts';
import type { DecodedLine, Facts } from './line.ts';
import { guarded } from './line.ts';
import { describedApdu } from './session-apdu.ts';

const PROTOCOL = 'dlms';

/** One side of a session between a client and a meter: its APDUs, from HDLC or the wrapper. */
export const SESSION_ADAPTER: Adapter = {
  name: PROTOCOL,
  protocol: PROTOCOL,
  looksLike(bytes) {
    const framing = framingOf(bytes);
    if (framing === undefined) return 'no';
    const first = apdusIn(deframerFor(framing).push(bytes)).find((apdu) => !isParameters(apdu));
    return first !== undefined && isOfSession(first) ? 'begins' : 'no';
  },
  *decode(chunks) {
    const [first = new Uint8Array(0)] = chunks;
    const framing = framingOf(first) ?? 'hdlc';
    const deframer = deframerFor(framing);
    for (const chunk of chunks) yield* linesOf(deframer.push(chunk), framing);
    yield* linesOf([...deframer.flush(), ...given(deframer)], framing);
  },
};

function given(deframer: Deframer): readonly FramerEvent<FramedApdu>[] {
  return deframer.unfinished ? deframer.forget() : [];
}

const HDLC_FLAG = 0x7e;

function framingOf([first, second]: Uint8Array): Framing | undefined {
  if (first === HDLC_FLAG) return 'hdlc';
  return first === 0 && second === 1 ? 'wrapper' : undefined;
}

/** What SNRM and UA agree on begins with its format identifier (IEC 62056-46, 6.4.4.4.3.2). */
const FORMAT_IDENTIFIER = 0x81;

function isParameters([first]: Uint8Array): boolean {
  return first === FORMAT_IDENTIFIER;
}

/** Frames without an APDU set the data link up, acknowledge, and end it. */
function apdusIn(events: readonly FramerEvent<FramedApdu>[]): readonly Uint8Array[] {
  return events.flatMap((event) => {
    return event.kind === 'frame' && event.frame.bytes.length > 0 ? [event.frame.bytes] : [];
  });
}

const ASKED_AND_ANSWERED: readonly number[] = [
  APDU_TAG.aarq,
  APDU_TAG.aare,
  APDU_TAG.rlrq,
  APDU_TAG.rlre,
  APDU_TAG.getRequest,
  APDU_TAG.getResponse,
  APDU_TAG.setRequest,
  APDU_TAG.setResponse,
  APDU_TAG.actionRequest,
  APDU_TAG.actionResponse,
];

/** What nobody pushes: pushes have an adapter of their own, which knows more of them. */
function isOfSession([tag = 0]: Uint8Array): boolean {
  return ASKED_AND_ANSWERED.includes(tag) || cipheringOf(tag) !== undefined;
}

function* linesOf(
  events: readonly FramerEvent<FramedApdu>[],
  framing: Framing,
): Generator<DecodedLine> {
  for (const event of events) {
    const { offset, length } = event;
    const place = { protocol: PROTOCOL, offset, length };
    if (event.kind === 'discarded') {
      yield { ...place, ok: false, error: { offset, ...event.failure } };
    } else if (event.frame.bytes.length > 0) {
      const { bytes } = event.frame;
      yield { ...place, ...guarded(offset, () => ({ framing, ...described(bytes) })) };
    }
  }
}

function described(bytes: Uint8Array): Facts {
  if (!isParameters(bytes)) return describedApdu(bytes);
  return { frame: 'hdlc-parameters', ...decodeHdlcParameters(bytes) };
}
