import { latin1FromBytes } from '#bytes/text.ts';

/** An identification has at most 22 characters (IEC 62056-21, 6.3.2); some meters add to it. */
const HEAD_BYTES = 256;
const STX = '\u{2}';

/** Line breaks, and NULs that wake a meter, may stand before it. */
const IDENTIFICATION = /^[\s\0]*\/[A-Za-z]{3}[!-~][^\n]*\n?/;

/** Begins with `/XXXZ`, as P1 telegrams and read-outs do. */
export function beginsIdentification(bytes: Uint8Array): boolean {
  return IDENTIFICATION.test(headOf(bytes));
}

/** Begins with an identification and a data block framed by STX, as read-outs in mode C do. */
export function beginsFramedReadout(bytes: Uint8Array): boolean {
  const head = headOf(bytes);
  const length = IDENTIFICATION.exec(head)?.[0].length;
  return length !== undefined && head[length] === STX;
}

function headOf(bytes: Uint8Array): string {
  return latin1FromBytes(bytes, 0, Math.min(bytes.length, HEAD_BYTES));
}
