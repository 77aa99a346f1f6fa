import type { Step } from '#protocol/connection.ts';
import { decodeAarq } from '#protocol/dlms/acse.ts';
import type { ApduLink, ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { encodeExceptionResponse } from '#protocol/dlms/errors.ts';
import {
  decodeGeneralCiphering,
  decodeServiceCiphering,
} from '#protocol/dlms/general-ciphering.ts';
import { cipheringOf } from '#protocol/dlms/service-tags.ts';

/** How far a simulated meter has seen the invocation counter of its client. */
export interface FrameCounter {
  last: number;
  /** Every number that was taken, in its order. */
  readonly taken: number[];
  /** Whether a refusal says what is wanted. */
  readonly tells: boolean;
}

const INVOCATION_COUNTER_ERROR = { stateError: 1, serviceError: 6 } as const;

/** A server's link that answers what has no higher counter than the last itself: it is refused. */
export function counted(link: ApduLink, counter: FrameCounter): ApduLink {
  const guarded = (step: Step<ApduLinkMessage>, at: number): Step<ApduLinkMessage> => {
    const refused = step.events.filter((event) => isRefused(event, counter));
    if (refused.length === 0) return step;
    const wanted = counter.tells ? { invocationCounter: counter.last + 1 } : {};
    const exception = encodeExceptionResponse({ ...INVOCATION_COUNTER_ERROR, ...wanted });
    const { send, events } = link.send(exception, at);
    const others = step.events.filter((event) => !refused.includes(event));
    return { send: [...step.send, ...send], events: [...others, ...events] };
  };
  return {
    get deadline() {
      return link.deadline;
    },
    start: (at) => link.start(at),
    receive: (chunk, at) => guarded(link.receive(chunk, at), at),
    expire: (at) => link.expire(at),
    stop: (at) => link.stop(at),
    send: (apdu, at) => link.send(apdu, at),
    close: (at) => link.close(at),
  };
}

function isRefused(event: Step<ApduLinkMessage>['events'][number], counter: FrameCounter): boolean {
  if (event.kind !== 'message' || event.message.kind !== 'apdu') return false;
  const number = numberIn(event.message.bytes);
  if (number === undefined) return false;
  if (number <= counter.last) return true;
  counter.last = number;
  counter.taken.push(number);
  return false;
}

/** `undefined` where nothing is ciphered. */
function numberIn(apdu: Uint8Array): number | undefined {
  const content = contentOf(apdu);
  return content === undefined ? undefined : new DataView(content.slice().buffer).getUint32(1);
}

function contentOf(apdu: Uint8Array): Uint8Array | undefined {
  const [tag = 0] = apdu;
  if (tag === APDU_TAG.aarq) {
    const user = decodeAarq(apdu).userInformation;
    return user === undefined ? undefined : contentOf(user);
  }
  if (tag === APDU_TAG.generalGloCiphering || tag === APDU_TAG.generalDedCiphering) {
    return decodeGeneralCiphering(apdu).content;
  }
  return cipheringOf(tag) === undefined ? undefined : decodeServiceCiphering(apdu).content;
}
