import { crc16X25 } from '#bytes/crc.ts';
import { Writer } from '#bytes/cursor.ts';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, errorOf } from '#bytes/failure.ts';
import type { HdlcAddress } from './address.ts';
import { addressAt, addressLengthAt, writeAddress } from './address.ts';
import type { HdlcControl } from './control.ts';
import { byteOfControl, controlFrom } from './control.ts';

/** A frame of format type 3 (IEC 62056-46, 6.4.1; ISO/IEC 13239, 4.9 and Annex H.4). */
export interface HdlcFrame {
  /** More frames follow that carry the rest of the information. */
  readonly segmented: boolean;
  readonly destination: HdlcAddress;
  readonly source: HdlcAddress;
  readonly control: HdlcControl;
  /** Empty in frames that only manage the link. */
  readonly information: Uint8Array;
}

/** Where it stood in what was received, with its flags. */
export interface FramePlace {
  readonly offset: number;
  readonly length: number;
}

export interface PlacedFrame extends FramePlace {
  readonly frame: HdlcFrame;
}

/** The length field has eleven bits and counts everything between the flags. */
export const HDLC_LENGTH_MAX = 0x7ff;
/** Format, two addresses of one byte, control, FCS. */
const LENGTH_MIN = 7;
const CHECK_BYTES = 2;

/** Where the parts of a frame stand, before any check of the whole. */
export interface HdlcHeader {
  readonly kind: 'header';
  /** All bytes between the flags. */
  readonly length: number;
  readonly destinationLength: number;
  readonly sourceLength: number;
  /** Offset after the control field, from the frame's first byte. */
  readonly controlEnd: number;
}

/** A refusal, and how many bytes from the frame's first were looked at. */
export interface HdlcRefusal {
  readonly kind: 'refused';
  readonly looked: number;
  readonly failure: Failure;
}

/** `undefined` while the header has not arrived in full. */
export function headerAt(
  bytes: Uint8Array,
  start: number,
  end: number,
): HdlcHeader | HdlcRefusal | undefined {
  const first = bytes[start] ?? 0;
  if (end <= start) return undefined;
  if ((first & 0xf0) !== 0xa0) return refused('bad-format', 0, 'not of format type 3', 'format');
  if (end < start + 2) return undefined;
  const length = ((first & 0x07) << 8) | (bytes[start + 1] ?? 0);
  if (length < LENGTH_MIN) return refused('bad-length', 0, `length ${length}`, 'format');
  const destinationLength = addressLengthAt(bytes, start + 2, end);
  if (destinationLength < 0) return refused('bad-address', 2, 'no such address', 'destination');
  if (destinationLength === 0) return undefined;
  const sourceStart = 2 + destinationLength;
  const sourceLength = addressLengthAt(bytes, start + sourceStart, end);
  if (sourceLength < 0) return refused('bad-address', sourceStart, 'no such address', 'source');
  if (sourceLength === 0) return undefined;
  const controlEnd = sourceStart + sourceLength + 1;
  return checkedHeader(bytes, start, end, {
    kind: 'header',
    length,
    destinationLength,
    sourceLength,
    controlEnd,
  });
}

/** The header check sequence is there only if information follows. */
function checkedHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  header: HdlcHeader,
): HdlcHeader | HdlcRefusal | undefined {
  const { controlEnd, length } = header;
  const rest = length - controlEnd;
  if (rest === CHECK_BYTES) return header;
  if (rest < 2 * CHECK_BYTES) {
    // What the addresses take was looked at, too: an escape among them makes them too long.
    return { ...refused('bad-length', 0, `length ${length}`, 'format'), looked: controlEnd };
  }
  if (end < start + controlEnd + CHECK_BYTES) return undefined;
  if (checkHolds(bytes, start, start + controlEnd)) return header;
  return refused('bad-hcs', controlEnd, 'header check sequence does not match', 'hcs');
}

/** The check sequence after `end`, low byte first. */
function checkHolds(bytes: Uint8Array, start: number, end: number): boolean {
  const check = crc16X25(bytes, start, end);
  return bytes[end] === (check & 0xff) && bytes[end + 1] === check >>> 8;
}

/** An address that is refused was read for at least this many bytes. */
const ADDRESS_LOOKED = 3;

function refused(code: string, offset: number, message: string, field: string): HdlcRefusal {
  const looked = offset + (code === 'bad-address' ? ADDRESS_LOOKED : CHECK_BYTES);
  return { kind: 'refused', looked, failure: { code, message, offset, field } };
}

/** The frame whose header is known and whose bytes have all arrived; its information is a view. */
export function frameAt(
  bytes: Uint8Array,
  start: number,
  header: HdlcHeader,
): HdlcFrame | HdlcRefusal {
  const { length, destinationLength, sourceLength, controlEnd } = header;
  const fcsStart = start + length - CHECK_BYTES;
  if (!checkHolds(bytes, start, fcsStart)) {
    const failure = { code: 'bad-fcs', message: 'frame check sequence does not match' };
    const place = { offset: length - CHECK_BYTES, field: 'fcs' };
    return { kind: 'refused', looked: length, failure: { ...failure, ...place } };
  }
  const informationStart = Math.min(start + controlEnd + CHECK_BYTES, fcsStart);
  return {
    segmented: ((bytes[start] ?? 0) & 0x08) !== 0,
    destination: addressAt(bytes, start + 2, destinationLength),
    source: addressAt(bytes, start + 2 + destinationLength, sourceLength),
    control: controlFrom(bytes[start + controlEnd - 1] ?? 0),
    information: bytes.subarray(informationStart, fcsStart),
  };
}

/**
 * The frame that fills `bytes`, which are what stands between two flags. Errors, all with offset
 * and field: `truncated`, `bad-format`, `bad-length`, `bad-address`, `bad-hcs`, `bad-fcs`.
 */
export function decodeHdlcFrame(bytes: Uint8Array): HdlcFrame {
  const header = headerAt(bytes, 0, bytes.length);
  if (header === undefined || (header.kind === 'header' && header.length > bytes.length)) {
    throw new OperatingError('truncated', `a frame ends after ${bytes.length} bytes`, {
      offset: bytes.length,
    });
  }
  const frame = header.kind === 'header' ? frameAt(bytes, 0, header) : header;
  if ('kind' in frame) throw errorOf(frame.failure);
  if (header.kind === 'header' && header.length < bytes.length) {
    throw new OperatingError('bad-length', 'bytes after the frame', { offset: header.length });
  }
  return frame;
}

/** The bytes between the flags. Errors: `too-long`, `out-of-range`. */
export function encodeHdlcFrame(frame: HdlcFrame): Uint8Array {
  const writer = new Writer(frame.information.length + 20).u16(0);
  writeAddress(writer, frame.destination);
  writeAddress(writer, frame.source);
  writer.u8(byteOfControl(frame.control));
  const headerChecks = frame.information.length > 0 ? CHECK_BYTES : 0;
  const length = writer.length + headerChecks + frame.information.length + CHECK_BYTES;
  if (length > HDLC_LENGTH_MAX) {
    throw new OperatingError('too-long', `${length} bytes do not fit one frame`);
  }
  writer.patchU16(0, 0xa000 | (frame.segmented ? 0x0800 : 0) | length);
  if (headerChecks > 0) writeCheck(writer);
  return writeCheck(writer.bytes(frame.information)).finish();
}

function writeCheck(writer: Writer): Writer {
  const check = crc16X25(writer.finish());
  return writer.u8(check & 0xff).u8(check >>> 8);
}
