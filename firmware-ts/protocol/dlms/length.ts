import type { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';

/**
 * Length or count of A-XDR (IEC 61334-6, 6.3; the form of BER): one byte below 128, else the number
 * of bytes that follow. Errors: `truncated`; `bad-length` for the indefinite form and more than
 * four bytes, which no DLMS APDU can need.
 */
export function readLength(reader: Reader, field: string): number {
  const offset = reader.offset;
  const first = reader.u8(field);
  switch (first) {
    case 0x81:
      return reader.u8(field);
    case 0x82:
      return reader.u16(field);
    case 0x83:
      return reader.u24(field);
    case 0x84:
      return reader.u32(field);
    default:
      if (first < 0x80) return first;
      throw new OperatingError('bad-length', `length form 0x${first.toString(16)}`, {
        offset,
        field,
      });
  }
}

/** The shortest form. */
export function writeLength(writer: Writer, length: number): Writer {
  if (length < 0x80) return writer.u8(length);
  if (length <= 0xff) return writer.u8(0x81).u8(length);
  if (length <= 0xffff) return writer.u8(0x82).u16(length);
  if (length <= 0xff_ffff) return writer.u8(0x83).u24(length);
  return writer.u8(0x84).u32(length);
}
