import { Writer, u16At } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Framer, Verdict } from '../framer.ts';
import { StreamFramer } from '../framer.ts';

/** Wrapper protocol data unit of DLMS over TCP and UDP (IEC 62056-47, 4.3.2). */
export interface WrapperPdu {
  readonly source: number;
  readonly destination: number;
  readonly apdu: Uint8Array;
}

const VERSION = 1;
const HEADER_BYTES = 8;
const APDU_BYTES_MAX = 0xffff;

/**
 * Cuts a stream into wrapper units. There is no mark to find back by but the version, so after
 * noise the search goes byte by byte.
 */
export function wrapperFramer(): Framer<WrapperPdu> {
  return new StreamFramer(recognise, HEADER_BYTES + APDU_BYTES_MAX);
}

function recognise(
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
): Verdict<WrapperPdu> {
  if (bytes[start] !== 0 || (end - start > 1 && bytes[start + 1] !== VERSION)) {
    return { kind: 'skip', length: 1 };
  }
  const cut = { code: 'truncated', message: 'silence inside a wrapper unit' };
  if (end - start < HEADER_BYTES) {
    return final
      ? { kind: 'skip', length: 1, failure: cut }
      : { kind: 'wait', need: end - start > 1 ? HEADER_BYTES : 2 };
  }
  const size = HEADER_BYTES + u16At(bytes, start + 6);
  if (end - start < size) {
    return final ? { kind: 'skip', length: 1, failure: cut } : { kind: 'wait', need: size };
  }
  const apdu = bytes.slice(start + HEADER_BYTES, start + size);
  const frame = { source: u16At(bytes, start + 2), destination: u16At(bytes, start + 4), apdu };
  return { kind: 'frame', length: size, frame };
}

/** Errors: `too-long` when the APDU does not fit. */
export function encodeWrapperPdu({ source, destination, apdu }: WrapperPdu): Uint8Array {
  if (apdu.length > APDU_BYTES_MAX) {
    throw new OperatingError('too-long', `${apdu.length} bytes in a wrapper unit`);
  }
  const writer = new Writer(HEADER_BYTES + apdu.length).u16(VERSION).u16(source).u16(destination);
  return writer.u16(apdu.length).bytes(apdu).finish();
}
