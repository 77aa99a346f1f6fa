import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { deframerFor } from '#protocol/dlms/deframer.ts';
import { VECTORS, withoutVectors } from './vectors.ts';

/** A whole session between two other implementations, recorded on loopback. */
export interface Session {
  readonly id: string;
  readonly desc: string;
  readonly keys: Readonly<Record<string, string>> | null;
  readonly derived: Readonly<Record<string, unknown>>;
  readonly frames: readonly SessionFrame[];
}

export interface SessionFrame {
  /** Sent by the client (`tx`), or by the server. */
  readonly dir: 'tx' | 'rx';
  readonly hex: string;
  /** What a ciphered APDU in it holds. */
  readonly plaintext?: string;
  /** What a ciphered InitiateRequest or InitiateResponse in it holds. */
  readonly initiate_plaintext?: string;
}

/** All recorded sessions; where they are absent a skipped test says so. */
export function sessions(): readonly Session[] {
  if (withoutVectors !== false) {
    test('recorded sessions', { skip: withoutVectors });
    return [];
  }
  const folder = join(VECTORS, 'dlms/interop');
  return readdirSync(folder)
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Session)
    .filter(({ frames }) => Array.isArray(frames));
}

export function session(id: string): Session | undefined {
  return withoutVectors === false ? sessions().find((one) => one.id === id) : undefined;
}

export interface SessionApdu {
  readonly dir: 'tx' | 'rx';
  readonly bytes: Uint8Array;
}

/** Every APDU of a session in order, without HDLC or wrapper. */
export function apdusOf({ frames }: Session): readonly SessionApdu[] {
  const framing = frames[0]?.hex.startsWith('7E') === true ? 'hdlc' : 'wrapper';
  const ways = { tx: deframerFor(framing), rx: deframerFor(framing) };
  return frames.flatMap(({ dir, hex }) =>
    ways[dir]
      .push(fromHex(hex))
      .flatMap((event) => (event.kind === 'frame' ? [{ dir, bytes: event.frame.bytes }] : []))
      .filter(({ bytes }) => bytes.length > 0),
  );
}
