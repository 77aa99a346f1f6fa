import type { Failure } from '#bytes/failure.ts';
import type { Framer, Verdict } from '../framer.ts';
import { StreamFramer } from '../framer.ts';
import type { HdlcFrame } from './frame.ts';
import { HDLC_LENGTH_MAX, frameAt, headerAt } from './frame.ts';

const HDLC_FLAG = 0x7e;
/** Control escape of start-stop transmission with octet stuffing (ISO/IEC 13239, 4.5.2). */
const ESCAPE = 0x7d;
const ESCAPED_BIT = 0x20;
/** A stuffed frame doubles at most; opening flag included. */
const STUFFED_BYTES_MAX = 2 * HDLC_LENGTH_MAX + 1;

/**
 * Cuts a stream into frames by their length field, because meters leave flag octets inside frames
 * unstuffed; where a frame read so fails and holds escapes, it is read as a stuffed one. A flag
 * may close one frame and open the next. After a failure the search goes on at the next flag
 * behind the opening one, whatever length the bad frame claimed.
 */
export function hdlcFramer(): Framer<HdlcFrame> {
  return new StreamFramer(recognise, STUFFED_BYTES_MAX);
}

function recognise(
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
): Verdict<HdlcFrame> {
  if (bytes[start] !== HDLC_FLAG) {
    return { kind: 'skip', length: flagFrom(bytes, start, end) - start };
  }
  let first = start + 1;
  while (first < end && bytes[first] === HDLC_FLAG) first += 1;
  if (first - 1 > start) return { kind: 'fill', length: first - 1 - start };
  if (first === end) return final ? { kind: 'fill', length: 1 } : { kind: 'wait', need: 2 };
  return judge(bytes, first, end, final);
}

/** `first` is the byte after the opening flag. */
function judge(bytes: Uint8Array, first: number, end: number, final: boolean): Verdict<HdlcFrame> {
  const header = headerAt(bytes, first, end);
  if (header?.kind === 'refused') return retried(bytes, first, end, final, header);
  if (header === undefined || end < first + header.length) {
    if (final) return retried(bytes, first, end, final, { looked: end - first, failure: CUT });
    const need = header === undefined ? end - first + 2 : header.length + 1;
    return { kind: 'wait', need };
  }
  const copy = bytes.slice(first, first + header.length);
  const frame = frameAt(copy, 0, header);
  if ('kind' in frame) return retried(bytes, first, end, final, frame);
  const length = header.length + 1;
  if (!copy.includes(ESCAPE)) return { kind: 'frame', length, frame };
  return doubted(bytes, first, end, final, { frame, length });
}

/**
 * One in 65 536 stuffed frames fits its FCS as it stands, read short: unlike a frame that is whole,
 * no flag follows it, and it fits as a stuffed one, too.
 */
function doubted(
  bytes: Uint8Array,
  first: number,
  end: number,
  final: boolean,
  plain: { frame: HdlcFrame; length: number },
): Verdict<HdlcFrame> {
  const { frame, length } = plain;
  const behind = first + length - 1;
  if (behind === end && !final) return { kind: 'wait', need: length + 1 };
  if (behind === end || bytes[behind] === HDLC_FLAG) return { kind: 'frame', length, frame };
  const flag = flagFrom(bytes, behind, end);
  const waiting = flag === end && !final && end - first < STUFFED_BYTES_MAX - 1;
  if (waiting) return { kind: 'wait', need: end - first + 2 };
  const again = unstuffedFrame(bytes.subarray(first, flag));
  return again === undefined
    ? { kind: 'frame', length, frame }
    : { kind: 'frame', length: flag - first + 1, frame: again };
}

const CUT: Failure = { code: 'truncated', message: 'the line fell silent inside a frame' };

/** The second try, as a stuffed frame; else everything up to the next flag is given up. */
function retried(
  bytes: Uint8Array,
  first: number,
  end: number,
  final: boolean,
  { looked, failure }: { looked: number; failure: Failure },
): Verdict<HdlcFrame> {
  const flag = flagFrom(bytes, first, end);
  if (holdsEscape(bytes, first, Math.min(first + looked, flag))) {
    const waiting = flag === end && !final && end - first < STUFFED_BYTES_MAX - 1;
    if (waiting) return { kind: 'wait', need: end - first + 2 };
    const frame = unstuffedFrame(bytes.subarray(first, flag));
    if (frame !== undefined) return { kind: 'frame', length: flag - first + 1, frame };
  }
  const offset = (failure.offset ?? 0) + 1; // counted from the opening flag
  return { kind: 'skip', length: flag - first + 1, failure: { ...failure, offset } };
}

/** Where the next flag stands, or `end`. */
function flagFrom(bytes: Uint8Array, from: number, end: number): number {
  const index = bytes.subarray(from, end).indexOf(HDLC_FLAG);
  return index < 0 ? end : from + index;
}

function holdsEscape(bytes: Uint8Array, from: number, end: number): boolean {
  return bytes.subarray(from, end).includes(ESCAPE);
}

/** As `decodeHdlcFrame`, but a refusal costs nothing: the first reading's failure is reported. */
function unstuffedFrame(stuffing: Uint8Array): HdlcFrame | undefined {
  const bytes = unstuffed(stuffing);
  const header = headerAt(bytes, 0, bytes.length);
  if (header?.kind !== 'header' || header.length !== bytes.length) return undefined;
  const frame = frameAt(bytes, 0, header);
  return 'kind' in frame ? undefined : frame;
}

/** Takes the octet stuffing off. */
export function unstuffed(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte === ESCAPE) index += 1;
    out[length] = byte === ESCAPE ? (bytes[index] ?? 0) ^ ESCAPED_BIT : byte;
    length += 1;
  }
  return out.subarray(0, length);
}

/** Puts the octet stuffing on, for devices that speak so. */
export function stuffed(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const byte of bytes) {
    if (byte === HDLC_FLAG || byte === ESCAPE) out.push(ESCAPE, byte ^ ESCAPED_BIT);
    else out.push(byte);
  }
  return Uint8Array.from(out);
}

/** A frame's bytes between two flags. */
export function flagged(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 2).fill(HDLC_FLAG);
  out.set(bytes, 1);
  return out;
}
