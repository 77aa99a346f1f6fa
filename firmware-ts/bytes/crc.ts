/** Reflected (least significant bit first) table for a 16-bit polynomial. */
function reflectedTable(polynomial: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
    }
    return remainder;
  });
}

/** Most significant bit first. */
function forwardTable(polynomial: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      remainder =
        (remainder & 0x8000) === 0 ? remainder << 1 : ((remainder << 1) ^ polynomial) & 0xffff;
    }
    return remainder;
  });
}

/** Bytes whose parts of the remainder are looked up side by side. */
const SLICES = 8;

/** Behind the table for one byte, those for a byte with one, two … bytes still behind it. */
function fillSliced(sliced: Uint16Array, table: Uint16Array): void {
  sliced.set(table);
  for (let index = 256; index < sliced.length; index += 1) {
    const before = sliced[index - 256] ?? 0;
    sliced[index] = (before << 8) ^ (table[before >>> 8] ?? 0);
  }
}

/** As `fillSliced`, least significant bit first. */
function fillReflected(sliced: Uint16Array, table: Uint16Array): void {
  sliced.set(table);
  for (let index = 256; index < sliced.length; index += 1) {
    const before = sliced[index - 256] ?? 0;
    sliced[index] = (before >>> 8) ^ (table[before & 0xff] ?? 0);
  }
}

const ARC = reflectedTable(0xa001);
/** Filled by the first frame: the loops alone would bring the optimizing compiler into memory. */
const CCITT = new Uint16Array(SLICES * 256);
const X25 = new Uint16Array(SLICES * 256);

function reflected(
  table: Uint16Array,
  initial: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let crc = initial;
  for (let index = start; index < end; index += 1) {
    // Indices are masked to the table's size; typed arrays outside it would read undefined.
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return crc;
}

/**
 * Frame check sequence of HDLC (ISO/IEC 13239, 4.2.5.2), sent low byte first; eight bytes at a
 * time, as `crcCcitt`.
 */
export function crc16X25(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (x25(1) === 0) fillReflected(X25, reflectedTable(0x8408));
  const last = Math.min(end, bytes.length);
  let crc = 0xffff;
  let at = start;
  for (; at + SLICES <= last; at += SLICES) {
    crc =
      x25(0x700 + ((crc & 0xff) ^ byteAt(bytes, at))) ^
      x25(0x600 + ((crc >>> 8) ^ byteAt(bytes, at + 1))) ^
      x25(0x500 + byteAt(bytes, at + 2)) ^
      x25(0x400 + byteAt(bytes, at + 3)) ^
      x25(0x300 + byteAt(bytes, at + 4)) ^
      x25(0x200 + byteAt(bytes, at + 5)) ^
      x25(0x100 + byteAt(bytes, at + 6)) ^
      x25(byteAt(bytes, at + 7));
  }
  return reflected(X25, crc, bytes, at, last) ^ 0xffff;
}

/** Check of a P1 telegram (DSMR 5.0.2 P1, 5.2): x^16 + x^15 + x^2 + 1, LSB first, initial 0. */
export function crc16Arc(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return reflected(ARC, 0, bytes, start, end);
}

/**
 * CHK of C37.118 frames (C37.118.2-2011, Annex B): x^16 + x^12 + x^5 + 1, initial -1. Byte by byte
 * each look-up waits for the one before; eight at a time they do not.
 */
export function crcCcitt(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (ccitt(1) === 0) fillSliced(CCITT, forwardTable(0x1021));
  const last = Math.min(end, bytes.length);
  let crc = 0xffff;
  let at = start;
  for (; at + SLICES <= last; at += SLICES) {
    crc =
      ccitt(0x700 + ((crc >>> 8) ^ byteAt(bytes, at))) ^
      ccitt(0x600 + ((crc & 0xff) ^ byteAt(bytes, at + 1))) ^
      ccitt(0x500 + byteAt(bytes, at + 2)) ^
      ccitt(0x400 + byteAt(bytes, at + 3)) ^
      ccitt(0x300 + byteAt(bytes, at + 4)) ^
      ccitt(0x200 + byteAt(bytes, at + 5)) ^
      ccitt(0x100 + byteAt(bytes, at + 6)) ^
      ccitt(byteAt(bytes, at + 7));
  }
  for (; at < last; at += 1) {
    crc = ((crc << 8) & 0xffff) ^ ccitt((crc >>> 8) ^ byteAt(bytes, at));
  }
  return crc;
}

/** Indices here are always inside; the compiler cannot know. Three, so that each sees one type. */
function ccitt(index: number): number {
  return CCITT[index] ?? 0;
}

function x25(index: number): number {
  return X25[index] ?? 0;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
