import { crcCcitt } from '#bytes/crc.ts';
import { Reader, Writer, u16At } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { structure, u16, u24, u32, u8 } from './fields.ts';

/** First byte of SYNC (C37.118.2-2011, 6.2.1, Table 2). */
export const SYNC_LEAD = 0xaa;

/** Bits 6–4 of the second byte of SYNC. */
const FRAME_KINDS = [
  'data',
  'header',
  'configuration-1',
  'configuration-2',
  'command',
  'configuration-3',
] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Words common to all frames in front of their own (6.2.1, Table 2). */
const HEAD = structure<{
  SYNC: number;
  FRAMESIZE: number;
  IDCODE: number;
  SOC: number;
  TIME_QUALITY: number;
  FRACSEC: number;
}>({ SYNC: u16, FRAMESIZE: u16, IDCODE: u16, SOC: u32, TIME_QUALITY: u8, FRACSEC: u24 });

export const HEAD_BYTES = HEAD.leastBytes;
export const CHK_BYTES = 2;
export const FRAME_BYTES_MIN = HEAD_BYTES + CHK_BYTES;
/** FRAMESIZE has 16 bits. */
export const FRAME_BYTES_MAX = 0xffff;

export interface FrameHead {
  readonly kind: FrameKind;
  /** Bits 3–0 of SYNC: 1 for the 2005 standard, 2 for 2011; devices are careless with it. */
  readonly version: number;
  /** IDCODE of the data stream; that of a PMU within may differ. */
  readonly idCode: number;
  /** SOC: seconds since 1970-01-01T00:00:00Z. */
  readonly second: number;
  /** FRACSEC in units of 1/TIME_BASE s, and the byte above it (`timeQualityOf`). */
  readonly fraction: number;
  readonly timeQuality: number;
}

/** Bytes whose SYNC, FRAMESIZE and CHK have been checked; made by `checkFrame` alone. */
export interface Frame {
  readonly kind: FrameKind;
  readonly idCode: number;
  /** All of the frame, shared with what it was found in. */
  readonly bytes: Uint8Array;
}

/** The kind that the second byte of SYNC tells; `undefined` where it is none of the standard's. */
export function frameKindOf(syncByte: number): FrameKind | undefined {
  return FRAME_KINDS[syncByte >>> 4]; // bit 7 is reserved and 0
}

/**
 * Exactly one frame.
 * Errors: `truncated`, `not-a-frame`, `bad-length` (FRAMESIZE is not the bytes' number), `bad-crc`.
 */
export function checkFrame(bytes: Uint8Array): Frame {
  if (bytes.length < FRAME_BYTES_MIN) refuse('truncated', 'FRAMESIZE', 0, bytes.length);
  const kind = frameKindOf(bytes[1] ?? 0xff);
  if (bytes[0] !== SYNC_LEAD || kind === undefined) refuse('not-a-frame', 'SYNC', 0, bytes[0]);
  if (u16At(bytes, 2) !== bytes.length) refuse('bad-length', 'FRAMESIZE', 2, u16At(bytes, 2));
  const end = bytes.length - CHK_BYTES;
  if (crcCcitt(bytes, 0, end) !== u16At(bytes, end))
    refuse('bad-crc', 'CHK', end, u16At(bytes, end));
  return { kind, idCode: u16At(bytes, 4), bytes };
}

function refuse(code: string, field: string, offset: number, value: number | undefined): never {
  throw new OperatingError(code, `${field} is ${String(value)}`, { offset, field });
}

/** The head of a checked frame, and a reader on what is between it and CHK. */
export function openFrame(frame: Frame): { head: FrameHead; reader: Reader } {
  const reader = new Reader(frame.bytes, 0, frame.bytes.length - CHK_BYTES);
  const { SYNC, IDCODE, SOC, TIME_QUALITY, FRACSEC } = HEAD.read(reader, '');
  const head: FrameHead = {
    kind: frame.kind,
    version: SYNC & 15,
    idCode: IDCODE,
    second: SOC,
    fraction: FRACSEC,
    timeQuality: TIME_QUALITY,
  };
  return { head, reader };
}

/** A whole frame around `body`. Errors: `too-long`. */
export function encodeFrame(head: FrameHead, body: Uint8Array): Uint8Array {
  const length = FRAME_BYTES_MIN + body.length;
  if (length > FRAME_BYTES_MAX) refuse('too-long', 'FRAMESIZE', 2, length);
  const writer = new Writer(length);
  HEAD.write(
    writer,
    {
      SYNC: syncOf(head),
      FRAMESIZE: length,
      IDCODE: head.idCode,
      SOC: head.second,
      TIME_QUALITY: head.timeQuality,
      FRACSEC: head.fraction,
    },
    '',
  );
  const bytes = writer.bytes(body).u16(0).finish();
  const check = crcCcitt(bytes, 0, length - CHK_BYTES);
  bytes[length - 2] = check >>> 8;
  bytes[length - 1] = check & 0xff;
  return bytes;
}

function syncOf({ kind, version }: Pick<FrameHead, 'kind' | 'version'>): number {
  return (SYNC_LEAD << 8) | (FRAME_KINDS.indexOf(kind) << 4) | (version & 15);
}

/** Everything must have been read: a frame with bytes left over is another than it claims. */
export function expectEnd(reader: Reader): void {
  if (reader.remaining === 0) return;
  throw new OperatingError('bad-length', `${reader.remaining} bytes behind the last field`, {
    offset: reader.offset,
    field: 'FRAMESIZE',
  });
}
