import { open } from 'node:fs/promises';
import type { CapturedPiece } from '#bytes/capture.ts';
import { OPENING_BRACE, piecesOf } from '#bytes/capture.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';

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
    : new OperatingError('unreadable-file', says, { cause, path, hint: 'check its permissions' });
 */
export async function readCapture(file: string, port?: number): Promise<readonly CapturedChunk[]> {
  const bytes = await readBounded(file);
  const chunks = chunksIn(bytes, file, port);
  if (chunks.length > 0) return chunks;
  throw new OperatingError('empty-capture', `${file} holds no bytes from a device`, {
    path: file,
    hint: port === undefined ? 'is it the right file?' : `nothing was sent from port ${port}`,
  });
}

function chunksIn(bytes: Uint8Array, file: string, port: number | undefined): CapturedChunk[] {
  try {
    const pieces = piecesOf(bytes, (text) => new TextDecoder().decode(text));
    if (pieces !== undefined) return capturedChunks(pieces, file, port);
  } catch (error) {
    const { code, message, ...place } = failureOf(error);
    throw new OperatingError(code, `${file}: ${message}`, { ...place, path: file, cause: error });
  }
  if (bytes[0] !== OPENING_BRACE) return rawChunks(bytes, file);
  throw new OperatingError('bad-vector', `${file} begins like JSON and is none`, {
    path: file,
    hint: 'pcap, pcapng, a JSON vector with hex or frames, or raw bytes',
  });
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > FILE_BYTES_MAX) {
      throw new OperatingError('too-large', `${path} has ${size} bytes`, {
        path,
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
        path,
        hint: 'check the path',
      })
    : new OperatingError('unreadable-file', says, { cause, path, hint: 'check its permissions' });
}

/** What devices sent. Captures are not always in order of time: what was caught late is late. */
function capturedChunks(
  pieces: Iterable<CapturedPiece>,
  file: string,
  port: number | undefined,
): CapturedChunk[] {
  const sent = [...pieces].filter(({ stream, bytes, sourcePort }) => {
    if (bytes.length === 0) return false;
    if (sourcePort === undefined) return stream === '' || stream === 'rx';
    return port === undefined || sourcePort === port;
  });
  const firstMs = sent[0]?.atMs ?? 0;
  return sent.map(({ stream, atMs, bytes, sourcePort }) => ({
    atMs: Math.max(0, atMs - firstMs),
    peer: sourcePort === undefined ? file : stream,
    bytes,
  }));
}

function rawChunks(bytes: Uint8Array, file: string): CapturedChunk[] {
  return Array.from({ length: Math.ceil(bytes.length / RAW_CHUNK_BYTES) }, (_, index) => ({
    atMs: 0,
    peer: file,
    bytes: bytes.subarray(index * RAW_CHUNK_BYTES, (index + 1) * RAW_CHUNK_BYTES),
  }));
}
