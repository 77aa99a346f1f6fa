/**
 * Text codecs for the pure rooms, which have no TextDecoder. Malformed UTF-8 becomes U+FFFD,
 * never an exception: names come from devices and are shown, not trusted.
 */
export function latin1FromBytes(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let index = start; index < end; index += 1) text += String.fromCharCode(bytes[index] ?? 0);
  return text;
}

export function bytesFromLatin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

const SEQUENCES = [
  { mask: 0x80, lead: 0x00, length: 1, least: 0 },
  { mask: 0xe0, lead: 0xc0, length: 2, least: 0x80 },
  { mask: 0xf0, lead: 0xe0, length: 3, least: 0x800 },
  { mask: 0xf8, lead: 0xf0, length: 4, least: 0x10000 },
] as const;

/** RFC 3629; over-long forms, surrogates and stray bytes become U+FFFD. */
export function utf8FromBytes(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length;) {
    const { point, length } = codePointAt(bytes, index);
    text += String.fromCodePoint(point);
    index += length;
  }
  return text;
}

function codePointAt(bytes: Uint8Array, index: number): { point: number; length: number } {
  const lead = bytes[index] ?? 0;
  const sequence = SEQUENCES.find(({ mask, lead: pattern }) => (lead & mask) === pattern);
  if (sequence === undefined) return { point: 0xfffd, length: 1 };
  let point = lead & ~sequence.mask;
  for (let step = 1; step < sequence.length; step += 1) {
    const next = bytes[index + step] ?? 0;
    if ((next & 0xc0) !== 0x80) return { point: 0xfffd, length: step };
    point = (point << 6) | (next & 0x3f);
  }
  const surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < sequence.least || point > 0x10ffff || surrogate) point = 0xfffd;
  return { point, length: sequence.length };
}

/** UTF-8 of a string; a lone surrogate becomes U+FFFD. */
export function bytesFromUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return bytesFromWideText(text);
    bytes[index] = unit;
  }
  return bytes;
}

/** What is not ASCII alone: names and units are, nearly all. */
function bytesFromWideText(text: string): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const character of text) {
    const unit = character.codePointAt(0) ?? 0xfffd;
    const point = unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : unit;
    if (point < 0x80) out.push(point);
    else if (point < 0x800) out.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) {
      out.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    } else {
      out.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f));
      out.push(0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
  return Uint8Array.from(out);
}
