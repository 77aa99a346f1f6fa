import { Reader } from '#bytes/cursor.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Framer, Verdict } from '../framer.ts';
import { StreamFramer } from '../framer.ts';
import { APDU_TAG } from './apdu-tags.ts';
import { readData } from './axdr.ts';
import { readHead } from './data-notification.ts';
import { decodeGeneralCiphering } from './general-ciphering.ts';

/** Pushed APDUs without framing are datagrams or one serial burst; none seen exceeds 2 kB. */
const BARE_APDU_BYTES_MAX = 4096;

/**
 * Cuts a stream of bare APDUs, which end where their own structure ends. It knows those that are
 * pushed: data-notification and the general ciphering ones.
 */
export function bareApduFramer(): Framer<Uint8Array> {
  return new StreamFramer(recognise, BARE_APDU_BYTES_MAX);
}

export function isPushTag(tag: number | undefined): boolean {
  return (
    tag === APDU_TAG.dataNotification ||
    tag === APDU_TAG.generalGloCiphering ||
    tag === APDU_TAG.generalDedCiphering
  );
}

function recognise(
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
): Verdict<Uint8Array> {
  if (!isPushTag(bytes[start])) return { kind: 'skip', length: nextPushTag(bytes, start, end) };
  try {
    const length = extentOf(bytes.subarray(start, end));
    return { kind: 'frame', length, frame: bytes.slice(start, start + length) };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    const size = end - start;
    const unfinished = error.code === 'truncated' || error.code === 'bad-count';
    if (unfinished && !final && size < BARE_APDU_BYTES_MAX) {
      return { kind: 'wait', need: size + 1 };
    }
    return { kind: 'skip', length: nextPushTag(bytes, start, end), failure: failureOf(error) };
  }
}

function nextPushTag(bytes: Uint8Array, start: number, end: number): number {
  let index = start + 1;
  while (index < end && !isPushTag(bytes[index])) index += 1;
  return index - start;
}

/** Bytes of the APDU that begins `bytes`. Errors: `truncated` while more are needed. */
function extentOf(bytes: Uint8Array): number {
  if (bytes[0] !== APDU_TAG.dataNotification) return decodeGeneralCiphering(bytes).length;
  const reader = new Reader(bytes);
  readHead(reader);
  const bodyStart = reader.offset;
  try {
    readData(reader);
  } catch (error) {
    const odd = error instanceof OperatingError && error.code === 'unknown-tag';
    if (!odd) throw error;
    reader.offset = bodyStart;
    readData(reader, { attributeDescriptors: true });
  }
  return reader.offset;
}
