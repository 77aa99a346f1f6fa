import { open } from 'node:fs/promises';
import { OperatingError } from '#bytes/failure.ts';
import { type FlowPiece, flows } from '#bytes/flows.ts';
import { fromHex } from '#bytes/hex.ts';
import { isPcap, readPcap } from '#bytes/pcap.ts';

/** Bytes that a device sent at one moment. */
export interface CapturedChunk {
  /** Milliseconds after the first chunk. */
  readonly atMs: number;
  /** Who sent it; chunks of one peer are one stream. */
  readonly peer: string;
  readonly bytes: Uint8Array;
}

/** It is read as a whole: an hour of a PMU at 50 frames/s is 20 MB, a gateway has 256 MB. */
const FILE_BYTES_MAX = 64 << 20;

/** A raw file has no chunks of its own; serial ports give about so much at a time. */
const RAW_CHUNK_BYTES = 1024;

/**
 * The chunks of a capture file in order: pcap and pcapng (TCP put in sequence), a JSON vector with
 * `hex` or with `frames` of `{t, dir, hex}` (`t` in milliseconds, `dir` is `rx` for what the device
 * sent), or else the raw bytes. With `port` only what was sent from that TCP or UDP port.
 * Errors: `missing-file`, `unreadable-file`, `too-large`, `empty-capture`, `bad-capture`, `bad-hex`
 * and those of `readPcap`.
 */
export async function readCapture(file: string, port?: number): Promise<readonly CapturedChunk[]> {
  const bytes = await readBounded(file);
  const chunks = isPcap(bytes)
    ? pcapChunks(bytes, port)
    : bytes[0] === 0x7b // {
      ? vectorChunks(bytes, file)
      : rawChunks(bytes, file);
  if (chunks.length > 0) return chunks;
  throw new OperatingError('empty-capture', `${file} holds no bytes from a device`, {
    hint: port === undefined ? 'is it the right file?' : `nothing was sent from port ${port}`,
  });
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > FILE_BYTES_MAX) {
      throw new OperatingError('too-large', `${path} has ${size} bytes`, {
        hint: `cut it into pieces of at most ${FILE_BYTES_MAX} bytes`,
      });
    }
    return await file.readFile();
  } catch (error) {
    throw error instanceof OperatingError ? error : unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): OperatingError {
  const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  const says = cause instanceof Error ? cause.message : String(cause);
  return missing
    ? new OperatingError('missing-file', `${path} does not exist`, {
        cause,
        hint: 'check the path',
      })
    : new OperatingError('unreadable-file', says, { cause, hint: 'check its permissions' });
}

function pcapChunks(bytes: Uint8Array, port: number | undefined): CapturedChunk[] {
  const chunks: CapturedChunk[] = [];
  let first: FlowPiece | undefined;
  for (const piece of flows(readPcap(bytes))) {
    if (port !== undefined && piece.flow.sourcePort !== port) continue;
    first ??= piece;
    chunks.push({ atMs: elapsedMs(first, piece), peer: piece.flow.key, bytes: piece.bytes });
  }
  return chunks;
}

/** Captures are not always in order of time; what was caught late is given late. */
function elapsedMs(first: FlowPiece, piece: FlowPiece): number {
  const nanoseconds = piece.nanosecond - first.nanosecond;
  return Math.max(0, (piece.second - first.second) * 1000 + nanoseconds / 1_000_000);
}

function vectorChunks(bytes: Uint8Array, file: string): CapturedChunk[] {
  const vector = parsedVector(bytes, file);
  if (typeof vector['hex'] === 'string') {
    return [{ atMs: 0, peer: file, bytes: fromHex(vector['hex']) }];
  }
  const frames: unknown = vector['frames'];
  if (!Array.isArray(frames)) throw badCapture(file, 'has neither hex nor frames');
  const received = frames.map((frame: unknown) => vectorFrame(frame, file)).filter(isReceived);
  const firstMs = received[0]?.atMs ?? 0;
  return received.map(({ atMs, bytes: sent }) => ({
    atMs: Math.max(0, atMs - firstMs),
    peer: file,
    bytes: sent,
  }));
}

function parsedVector(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch (error) {
    throw badCapture(file, error instanceof Error ? error.message : String(error));
  }
}

interface VectorFrame {
  readonly atMs: number;
  readonly received: boolean;
  readonly bytes: Uint8Array;
}

function isReceived(frame: VectorFrame): boolean {
  return frame.received && frame.bytes.length > 0;
}

function vectorFrame(frame: unknown, file: string): VectorFrame {
  if (typeof frame !== 'object' || frame === null) throw badCapture(file, 'a frame is no object');
  const { t = 0, dir = 'rx', hex } = frame as Readonly<Record<string, unknown>>;
  if (typeof t !== 'number' || !Number.isFinite(t) || typeof hex !== 'string') {
    throw badCapture(file, 'a frame needs t in milliseconds and hex');
  }
  return { atMs: t, received: dir === 'rx', bytes: fromHex(hex) };
}

function badCapture(file: string, says: string): OperatingError {
  return new OperatingError('bad-capture', `${file}: ${says}`, {
    hint: 'pcap, pcapng, a JSON vector with hex or frames, or raw bytes',
  });
}

function rawChunks(bytes: Uint8Array, file: string): CapturedChunk[] {
  return Array.from({ length: Math.ceil(bytes.length / RAW_CHUNK_BYTES) }, (_, index) => ({
    atMs: 0,
    peer: file,
    bytes: bytes.subarray(index * RAW_CHUNK_BYTES, (index + 1) * RAW_CHUNK_BYTES),
  }));
}
