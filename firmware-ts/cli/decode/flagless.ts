import { headerAt } from '#protocol/hdlc/frame.ts';

const FLAG = 0x7e;

/** HDLC frames that were written down without the flags between them, and where those are put. */
export interface Reflagged {
  readonly bytes: Uint8Array;
  /** The place in the written bytes of what stands at `offset` in `bytes`. */
  readonly written: (offset: number) => number;
}

/** Nothing if the bytes do not begin with a frame's header whose check fits. */
export function reflagged(chunks: readonly Uint8Array[]): Reflagged | undefined {
  const first = chunks.find(({ length }) => length > 0);
  if (first === undefined || first[0] === FLAG) return undefined;
  const bytes = Buffer.concat(chunks);
  const starts = frameStarts(bytes);
  if (starts.length === 0) return undefined;
  const pieces = starts.flatMap((start, index) => [
    Uint8Array.of(FLAG),
    bytes.subarray(start, starts[index + 1] ?? bytes.length),
  ]);
  const flags = starts.map((start, index) => start + index);
  return {
    bytes: Buffer.concat([...pieces, Uint8Array.of(FLAG)]),
    written: (offset) =>
      Math.min(bytes.length, offset - flags.filter((flag) => flag < offset).length),
  };
}

/** Each frame's length leads to the next one, until something else stands there. */
function frameStarts(bytes: Uint8Array): readonly number[] {
  const starts: number[] = [];
  for (let start = 0; start < bytes.length;) {
    const header = headerAt(bytes, start, bytes.length);
    if (header?.kind !== 'header') break;
    starts.push(start);
    start += header.length;
  }
  return starts;
}
