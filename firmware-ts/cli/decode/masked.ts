import type { DecodedLine } from './line.ts';
import type { MaskedBytes } from './streams.ts';

/**
 * Where a password was made zero in a trace no check fits any longer, and nobody was wrong:
 * of each such piece one line tells that, in place of the errors that would.
 */
export function* withMasks(
  lines: Iterable<DecodedLine>,
  masked: readonly MaskedBytes[],
): Generator<DecodedLine> {
  const told = new Set<MaskedBytes>();
  for (const line of lines) {
    const mask = line.ok ? undefined : masked.find((bytes) => meets(bytes, line));
    if (mask === undefined) yield line;
    else if (!told.has(mask)) {
      told.add(mask);
      yield maskedLine(mask, line.protocol);
    }
  }
}

function meets({ from, until }: MaskedBytes, { offset, length }: DecodedLine): boolean {
  return offset < until && from < offset + Math.max(1, length);
}

function maskedLine({ from, until }: MaskedBytes, protocol: string): DecodedLine {
  const note = 'a password was made zero when this was recorded; the rest cannot be checked';
  return { protocol, offset: from, length: until - from, ok: true, frame: 'masked', note };
}
