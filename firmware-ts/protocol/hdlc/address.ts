import type { Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';

/**
 * HDLC address (IEC 62056-46, 6.4.2): seven bits a byte, the last byte's lowest bit set. One byte
 * holds an upper address only, two bytes seven bits of each part, four bytes fourteen.
 */
export interface HdlcAddress {
  /** Logical device or client. */
  readonly upper: number;
  /** Physical device; absent in one byte. */
  readonly lower?: number;
  readonly length: 1 | 2 | 4;
}

const ADDRESS_BYTES_MAX = 4;

/**
 * How many bytes the address at `start` has: 1, 2 or 4; 0 while its end has not arrived; -1 where
 * no address has this form.
 */
export function addressLengthAt(bytes: Uint8Array, start: number, end: number): number {
  for (let length = 1; length <= ADDRESS_BYTES_MAX; length += 1) {
    const index = start + length - 1;
    if (index >= end) return 0;
    if (((bytes[index] ?? 0) & 1) === 1) return length === 3 ? -1 : length;
  }
  return -1;
}

/** The address of `length` bytes at `start`, as `addressLengthAt` found it. */
export function addressAt(bytes: Uint8Array, start: number, length: number): HdlcAddress {
  const part = (index: number): number => (bytes[start + index] ?? 0) >>> 1;
  if (length === 1) return { upper: part(0), length: 1 };
  if (length === 2) return { upper: part(0), lower: part(1), length: 2 };
  return { upper: (part(0) << 7) | part(1), lower: (part(2) << 7) | part(3), length: 4 };
}

/** Errors: `out-of-range` when a part does not fit. */
export function writeAddress(writer: Writer, address: HdlcAddress): void {
  const { upper, lower = 0, length } = address;
  const most = length === 4 ? 0x3fff : 0x7f;
  if (upper > most || lower > most || upper < 0 || lower < 0) {
    throw new OperatingError('out-of-range', `address ${upper}/${lower} in ${length} bytes`);
  }
  if (length === 1) writer.u8((upper << 1) | 1);
  else if (length === 2) writer.u8(upper << 1).u8((lower << 1) | 1);
  else {
    writer.u8((upper >>> 7) << 1).u8((upper & 0x7f) << 1);
    writer.u8((lower >>> 7) << 1).u8(((lower & 0x7f) << 1) | 1);
  }
}

export function sameAddress(one: HdlcAddress, other: HdlcAddress): boolean {
  return one.upper === other.upper && one.lower === other.lower && one.length === other.length;
}

/**
 * Whether both name one station; meters that are called with one length answer with another, and
 * an address of one byte leaves the physical device open.
 */
export function sameStation(one: HdlcAddress, other: HdlcAddress): boolean {
  if (one.upper !== other.upper) return false;
  return one.lower === undefined || other.lower === undefined || one.lower === other.lower;
}
