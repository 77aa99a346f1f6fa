import { OperatingError } from './failure.ts';
import { flows } from './flows.ts';
import { fromHex } from './hex.ts';
import { isPcap, readPcap } from './pcap.ts';
import { octetsOfTrace } from './trace.ts';

/** Bytes that one side said at one moment. */
export interface CapturedPiece {
  /** The same for all that one side said: a flow's key, `rx` or `tx`; empty where nobody tells. */
  readonly stream: string;
  /** Milliseconds since a moment that is the same for the whole capture. */
  readonly atMs: number;
  readonly bytes: Uint8Array;
  /** Bytes of the stream before these that are not in the capture. */
  readonly gap: number;
  /** The TCP or UDP port that they were sent from, where the capture tells it. */
  readonly sourcePort?: number;
  /** Octets of a secret were made zero: a check around them fits no longer. */
  readonly masked?: boolean;
}

/** What JSON vectors begin with. */
export const OPENING_BRACE = 0x7b;

/**
 * What a pcap, a pcapng (TCP put in sequence), a trace or a JSON vector holds, in its order: a
 * vector has `hex`, or `frames` of `{t, dir, hex}` with `t` in milliseconds, and `textOf` reads its
 * UTF-8. `undefined` for bytes that are neither. Errors: `bad-vector`, `bad-hex`; those of
 * `readPcap` come while the pieces are taken.
 */
export function piecesOf(
  bytes: Uint8Array,
  textOf: (bytes: Uint8Array) => string,
): Iterable<CapturedPiece> | undefined {
  if (isPcap(bytes)) return pcapPieces(bytes);
  if (bytes[0] !== OPENING_BRACE) return undefined;
  const text = textOf(bytes);
  const vector = vectorFrom(text);
  if (vector !== undefined && !('trace' in vector)) return vectorPieces(vector);
  return octetsOfTrace(text)?.map(({ dir, atMs, bytes: octets, masked }) => {
    return { stream: dir, atMs, bytes: octets, gap: 0, masked };
  });
}

/** Nothing for bytes that merely begin with a brace. */
function vectorFrom(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function* pcapPieces(capture: Uint8Array): Generator<CapturedPiece> {
  for (const { flow, second, nanosecond, bytes, gap } of flows(readPcap(capture))) {
    const atMs = second * 1000 + nanosecond / 1_000_000;
    yield { stream: flow.key, atMs, bytes, gap, sourcePort: flow.sourcePort };
  }
}

function vectorPieces({
  hex,
  frames,
}: Readonly<Record<string, unknown>>): readonly CapturedPiece[] {
  if (typeof hex === 'string') return [{ stream: '', atMs: 0, bytes: fromHex(hex), gap: 0 }];
  if (!Array.isArray(frames)) throw badVector('it has neither hex nor frames');
  return frames.map(framePiece);
}

function framePiece(frame: unknown): CapturedPiece {
  if (typeof frame !== 'object' || frame === null) throw badVector('a frame is no object');
  const { t = 0, dir = 'rx', hex } = frame as Readonly<Record<string, unknown>>;
  if (typeof hex !== 'string' || typeof dir !== 'string') throw badVector('a frame without hex');
  if (typeof t !== 'number' || !Number.isFinite(t)) throw badVector('t is no time in milliseconds');
  return { stream: dir, atMs: t, bytes: fromHex(hex), gap: 0 };
}

function badVector(what: string): OperatingError {
  return new OperatingError('bad-vector', `JSON that is no vector: ${what}`, {
    hint: 'a vector is {"hex": "..."} or {"frames": [{"t": 0, "dir": "rx", "hex": "..."}]}',
  });
}
