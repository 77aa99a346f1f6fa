import { OperatingError, failureOf, type Failure } from '#bytes/failure.ts';
import { flows } from '#bytes/flows.ts';
import { fromHex } from '#bytes/hex.ts';
import { isPcap, readPcap } from '#bytes/pcap.ts';

/** Bytes that one side said, in order. */
export interface InputStream {
  /** `tcp 10.0.0.1:4712 > 10.0.0.2:50000`, `rx`; absent if the input is one stream. */
  readonly name?: string;
  readonly chunks: readonly Uint8Array[];
  /** Bytes of it that are not in the capture. */
  readonly lost: number;
  /** What ended the capture early: a logger that lost its power leaves half a record. */
  readonly cut?: Failure;
}

const OPENING_BRACE = 0x7b;

/**
 * The streams in bytes that are a capture, a JSON vector, hex text, or themselves a stream.
 * Errors: `bad-vector`, `bad-hex`, and those of `readPcap`.
 */
export function streamsOf(bytes: Uint8Array): readonly InputStream[] {
  if (isPcap(bytes)) return pcapStreams(bytes);
  if (bytes[0] === OPENING_BRACE) {
    const vector = jsonOf(bytes);
    if (vector !== undefined) return vectorStreams(vector);
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return [{ chunks: [isHexText(text) ? fromHex(bareDigits(text)) : bytes], lost: 0 }];
}

function pcapStreams(bytes: Uint8Array): readonly InputStream[] {
  const streams = new Map<string, { name: string; chunks: Uint8Array[]; lost: number }>();
  try {
    for (const { flow, bytes: piece, gap } of flows(readPcap(bytes))) {
      const stream = streams.get(flow.key) ?? { name: flow.key, chunks: [], lost: 0 };
      stream.chunks.push(piece);
      stream.lost += gap;
      streams.set(flow.key, stream);
    }
  } catch (error) {
    if (!(error instanceof OperatingError) || streams.size === 0) throw error;
    return [...streams.values(), { name: 'capture', chunks: [], lost: 0, cut: failureOf(error) }];
  }
  return [...streams.values()];
}

/** Nothing for bytes that merely begin with a brace. */
function jsonOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function vectorStreams(vector: Readonly<Record<string, unknown>>): readonly InputStream[] {
  const { hex, frames } = vector;
  if (typeof hex === 'string') return [{ chunks: [fromHex(hex)], lost: 0 }];
  if (!Array.isArray(frames)) throw badVector();
  const streams = new Map<string, Uint8Array[]>();
  for (const frame of frames as readonly unknown[]) {
    const { dir, chunk } = vectorFrame(frame);
    const chunks = streams.get(dir);
    if (chunks === undefined) streams.set(dir, [chunk]);
    else chunks.push(chunk);
  }
  return [...streams].map(([name, chunks]) => ({ name, chunks, lost: 0 }));
}

function vectorFrame(frame: unknown): { readonly dir: string; readonly chunk: Uint8Array } {
  if (typeof frame !== 'object' || frame === null) throw badVector();
  const { dir = 'rx', hex } = frame as Readonly<Record<string, unknown>>;
  if (typeof hex !== 'string' || typeof dir !== 'string') throw badVector();
  return { dir, chunk: fromHex(hex) };
}

function badVector(): OperatingError {
  return new OperatingError('bad-vector', 'JSON that is no vector', {
    hint: 'a vector is {"hex": "..."} or {"frames": [{"dir": "rx", "hex": "..."}]}',
  });
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
