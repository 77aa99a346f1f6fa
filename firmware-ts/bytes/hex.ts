import { OperatingError } from './failure.ts';

const DIGITS = '0123456789abcdef';

/** Lower-case hex without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (DIGITS[byte >>> 4] ?? '') + (DIGITS[byte & 15] ?? '');
  return text;
}

/**
 * Bytes from hex in either case; white space, `:` and `-` between bytes are allowed.
 * Errors: `bad-hex` with the offset of the offending character.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(text.length >>> 1);
  let length = 0;
  let high = -1;
  for (let offset = 0; offset < text.length; offset += 1) {
    const character = text[offset] ?? '';
    const digit = DIGITS.indexOf(character.toLowerCase());
    if (digit < 0) {
      if (high < 0 && /[\s:-]/.test(character)) continue;
      throw new OperatingError('bad-hex', `no hex digit: ${JSON.stringify(character)}`, { offset });
    }
    if (high < 0) high = digit;
    else {
      out[length] = (high << 4) | digit;
      length += 1;
      high = -1;
    }
  }
  if (high >= 0) {
    throw new OperatingError('bad-hex', 'odd number of hex digits', { offset: text.length });
  }
  return out.slice(0, length);
}
