import { Writer } from '#bytes/cursor.ts';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Framer, Verdict } from '../framer.ts';
import { StreamFramer } from '../framer.ts';

/** Long frame of wired M-Bus (EN 13757-2, 5.4.4; FT 1.2 of IEC 60870-5-1). */
export interface MbusFrame {
  readonly control: number;
  readonly address: number;
  readonly controlInformation: number;
  readonly userData: Uint8Array;
}

const START = 0x68;
const STOP = 0x16;
/** Start twice, length twice, before what the length counts; checksum and stop after it. */
const HEAD_BYTES = 4;
const TAIL_BYTES = 2;
/** Control, address, control information. */
const LENGTH_MIN = 3;
const FRAME_BYTES_MAX = HEAD_BYTES + 255 + TAIL_BYTES;

/** Cuts a stream into long frames; single characters and short frames count as noise. */
export function mbusFramer(): Framer<MbusFrame> {
  return new StreamFramer(recognise, FRAME_BYTES_MAX);
}

function recognise(
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
): Verdict<MbusFrame> {
  const skipped: Verdict<MbusFrame> = {
    kind: 'skip',
    length: nextStart(bytes, start, end) - start,
  };
  if (bytes[start] !== START) return skipped;
  if (end - start < HEAD_BYTES) return final ? skipped : { kind: 'wait', need: HEAD_BYTES };
  const length = bytes[start + 1] ?? 0;
  const head = bytes[start + 2] === length && bytes[start + 3] === START;
  if (!head || length < LENGTH_MIN) return skipped;
  const size = HEAD_BYTES + length + TAIL_BYTES;
  if (end - start < size) {
    if (!final) return { kind: 'wait', need: size };
    return { ...skipped, failure: { code: 'truncated', message: 'silence inside a frame' } };
  }
  const failure = faultOf(bytes, start, length);
  if (failure !== undefined) return { ...skipped, failure };
  return { kind: 'frame', length: size, frame: frameOf(bytes, start + HEAD_BYTES, length) };
}

function nextStart(bytes: Uint8Array, start: number, end: number): number {
  let index = start + 1;
  while (index < end && bytes[index] !== START) index += 1;
  return Math.min(index, end);
}

function faultOf(bytes: Uint8Array, start: number, length: number): Failure | undefined {
  const checkStart = start + HEAD_BYTES + length;
  if (bytes[checkStart + 1] !== STOP) {
    const offset = HEAD_BYTES + length + 1;
    return { code: 'bad-stop', message: 'no stop character', offset, field: 'stop' };
  }
  if (bytes[checkStart] === checksum(bytes, start + HEAD_BYTES, checkStart)) return undefined;
  const offset = HEAD_BYTES + length;
  return { code: 'bad-checksum', message: 'checksum does not match', offset, field: 'check-sum' };
}

/** Arithmetic sum without carry. */
function checksum(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let index = start; index < end; index += 1) sum = (sum + (bytes[index] ?? 0)) & 0xff;
  return sum;
}

function frameOf(bytes: Uint8Array, start: number, length: number): MbusFrame {
  return {
    control: bytes[start] ?? 0,
    address: bytes[start + 1] ?? 0,
    controlInformation: bytes[start + 2] ?? 0,
    userData: bytes.slice(start + LENGTH_MIN, start + length),
  };
}

/** Errors: `too-long` when the user data does not fit one frame. */
export function encodeMbusFrame(frame: MbusFrame): Uint8Array {
  const length = frame.userData.length + LENGTH_MIN;
  if (length > 255) throw new OperatingError('too-long', `${length} bytes in an M-Bus frame`);
  const writer = new Writer(length + HEAD_BYTES + TAIL_BYTES);
  writer.u8(START).u8(length).u8(length).u8(START);
  writer.u8(frame.control).u8(frame.address).u8(frame.controlInformation).bytes(frame.userData);
  return writer
    .u8(checksum(writer.finish(), HEAD_BYTES, writer.length))
    .u8(STOP)
    .finish();
}
