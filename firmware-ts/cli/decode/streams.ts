import { piecesOf } from '#bytes/capture.ts';
import type { CapturedPiece } from '#bytes/capture.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';

/** Bytes that one side said, in order. */
export interface InputStream {
  /** `tcp 10.0.0.1:4712 > 10.0.0.2:50000`, `rx`; absent if the input is one stream. */
  readonly name?: string;
  readonly chunks: readonly Uint8Array[];
  /** When each was said, milliseconds after a moment that all streams share. */
  readonly times?: readonly number[];
  /** Bytes of it that are not in the capture, and before which byte the first of them stood. */
  readonly lost?: { readonly count: number; readonly offset: number };
  /** Where octets of a secret were made zero: pieces by their first byte and the one behind. */
  readonly masked?: readonly MaskedBytes[];
  /** What ended the capture early: a logger that lost its power leaves half a record. */
  readonly cut?: Failure;
}

export interface MaskedBytes {
  readonly from: number;
  readonly until: number;
}

/**
 * The streams in bytes that are a capture, a JSON vector, hex text, or themselves a stream.
 * Errors: `bad-vector`, `bad-hex`, and those of `readPcap`.
 */
export function streamsOf(bytes: Uint8Array): readonly InputStream[] {
  const pieces = piecesOf(bytes, (text) => new TextDecoder().decode(text));
  if (pieces !== undefined) return gathered(pieces);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return [{ chunks: [isHexText(text) ? fromHex(bareDigits(text)) : bytes] }];
}

interface Gathering extends InputStream {
  readonly chunks: Uint8Array[];
  readonly times: number[];
  readonly masked: MaskedBytes[];
  length: number;
  lost?: NonNullable<InputStream['lost']>;
}

function begun(key: string): Gathering {
  const name = key === '' ? {} : { name: key };
  return { ...name, chunks: [], times: [], masked: [], length: 0 };
}

function lostMore({ lost, length }: Gathering, gap: number): NonNullable<InputStream['lost']> {
  return { count: (lost?.count ?? 0) + gap, offset: lost?.offset ?? length };
}

function gathered(pieces: Iterable<CapturedPiece>): readonly InputStream[] {
  const streams = new Map<string, Gathering>();
  try {
    for (const { stream: key, bytes, gap, atMs, masked = false } of pieces) {
      const stream = streams.get(key) ?? begun(key);
      if (masked) stream.masked.push({ from: stream.length, until: stream.length + bytes.length });
      if (gap > 0) stream.lost = lostMore(stream, gap);
      stream.chunks.push(bytes);
      stream.times.push(atMs);
      stream.length += bytes.length;
      streams.set(key, stream);
    }
  } catch (error) {
    if (!(error instanceof OperatingError) || streams.size === 0) throw error;
    return [...streams.values(), { name: 'capture', chunks: [], cut: failureOf(error) }];
  }
  return [...streams.values()];
}

/** Hex digits and what programs print around them: `0x7e, 0xa0`, `7E:A0`, `7e a0`. */
export function isHexText(text: string): boolean {
  // Each a search for one place: a repeated group would exhaust the stack on megabytes.
  if (/[^0-9A-Fa-fxX\s,:-]/.test(text) || /(?<!0)[xX]/.test(text)) return false;
  return /[0-9A-Fa-f]{2}/.test(text);
}

/** The text as `fromHex` takes it. */
export function bareDigits(text: string): string {
  return text.replace(/0x/gi, ' ').replaceAll(',', ' ');
}
