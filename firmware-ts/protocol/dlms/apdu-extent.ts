import type { Failure } from '#bytes/failure.ts';
import type { Framer, Verdict } from '../framer.ts';
import { StreamFramer } from '../framer.ts';
import { APDU_TAG } from './apdu-tags.ts';
import type { Extent } from './data-extent.ts';
import { DataExtent, lengthAt } from './data-extent.ts';
import { STRAY_TAG } from './data-notification.ts';
import { DATE_TIME_BYTES } from './date-time.ts';
import { SYSTEM_TITLE_BYTES } from './security.ts';

/** Pushed APDUs without framing are datagrams or one serial burst; none seen exceeds 2 kB. */
const BARE_APDU_BYTES_MAX = 4096;

/**
 * Cuts a stream of bare APDUs, which end where their own structure ends. It knows those that are
 * pushed: data-notification and the general ciphering ones. Whether what it cuts makes sense is
 * for their decoders to say.
 */
export function bareApduFramer(): Framer<Uint8Array> {
  const search = new ApduSearch();
  const recognise = search.recognise.bind(search);
  return new StreamFramer(recognise, BARE_APDU_BYTES_MAX);
}

export function isPushTag(tag: number | undefined): boolean {
  return (
    tag === APDU_TAG.dataNotification ||
    tag === APDU_TAG.generalGloCiphering ||
    tag === APDU_TAG.generalDedCiphering
  );
}

function nextPushTag(bytes: Uint8Array, start: number, end: number): number {
  let index = start + 1;
  while (index < end && !isPushTag(bytes[index])) index += 1;
  return index - start;
}

const OPEN: Extent = { kind: 'open' };
const TRUNCATED: Failure = { code: 'truncated', message: 'an APDU breaks off', offset: 0 };

/** Recognises one APDU after the other; of the one that is unfinished it knows how far it got. */
class ApduSearch {
  /** Of the body of a data-notification: as the standard has it, then with descriptors. */
  #body: { readonly start: number; descriptors: boolean; extent: DataExtent } | undefined;

  recognise(bytes: Uint8Array, start: number, end: number, final: boolean): Verdict<Uint8Array> {
    if (!isPushTag(bytes[start])) return { kind: 'skip', length: nextPushTag(bytes, start, end) };
    const apdu = bytes.subarray(start, end);
    const extent =
      apdu[0] === APDU_TAG.dataNotification ? this.#notification(apdu) : ciphered(apdu);
    const size = end - start;
    if (extent.kind === 'open' && !final && size < BARE_APDU_BYTES_MAX) {
      return { kind: 'wait', need: size + 1 };
    }
    this.#body = undefined;
    if (extent.kind === 'whole') {
      return { kind: 'frame', length: extent.end, frame: apdu.slice(0, extent.end) };
    }
    const failure = extent.kind === 'refused' ? extent.failure : TRUNCATED;
    return { kind: 'skip', length: nextPushTag(bytes, start, end), failure };
  }

  #notification(apdu: Uint8Array): Extent {
    if (this.#body === undefined) {
      const start = bodyStart(apdu);
      if (typeof start !== 'number') return start;
      this.#body = { start, descriptors: false, extent: new DataExtent(start, false) };
    }
    const body = this.#body;
    const extent = body.extent.advance(apdu);
    const odd = extent.kind === 'refused' && extent.failure.code === 'unknown-tag';
    if (!odd || body.descriptors) return extent;
    body.descriptors = true;
    body.extent = new DataExtent(body.start, true);
    return body.extent.advance(apdu);
  }
}

/** Tag and long-invoke-id-and-priority. */
const FIXED_HEAD_BYTES = 5;

/** Where the body of a data-notification begins, after a date-time that may have a stray tag. */
function bodyStart(apdu: Uint8Array): number | Extent {
  const tagged = apdu[FIXED_HEAD_BYTES] === STRAY_TAG;
  const offset = tagged ? FIXED_HEAD_BYTES + 1 : FIXED_HEAD_BYTES;
  const length = apdu[offset];
  if (length === undefined) return OPEN;
  if (length === DATE_TIME_BYTES || (length === 0 && !tagged)) return offset + 1 + length;
  const message = `${length} bytes instead of 0 or 12`;
  return refused({ code: 'bad-date-time', message, offset, field: 'date-time' });
}

/** `SEQUENCE { system-title, ciphered-content }`, see `GeneralCiphering`. */
function ciphered(apdu: Uint8Array): Extent {
  const title = apdu[1];
  if (title === undefined) return OPEN;
  if (title !== SYSTEM_TITLE_BYTES) {
    const message = `${title} bytes instead of 8`;
    return refused({ code: 'bad-system-title', message, offset: 1, field: 'system-title' });
  }
  const offset = 2 + SYSTEM_TITLE_BYTES;
  const length = lengthAt(apdu, offset);
  if (length === 'open') return OPEN;
  if (length === 'bad') {
    const message = 'a length of no known form';
    return refused({ code: 'bad-length', message, offset, field: 'ciphered-content' });
  }
  const end = offset + length.size + length.value;
  return end <= apdu.length ? { kind: 'whole', end } : OPEN;
}

function refused(failure: Failure): Extent {
  return { kind: 'refused', failure };
}
