import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { deframerFor } from '#protocol/dlms/deframer.ts';
import { decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { withoutLlc } from '#protocol/hdlc/segments.ts';
import { VECTORS, withoutVectors } from './vectors.ts';

/** A whole session, recorded on loopback. */
export interface Session {
  readonly id: string;
  /** Which implementation was the client, and which the server. */
  readonly who: string;
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

/** Sessions between two other implementations; where they are absent a skipped test says so. */
export function sessions(): readonly Session[] {
  if (withoutVectors === false) return sessionsIn(join(VECTORS, 'dlms/interop'));
  test('recorded sessions', { skip: withoutVectors });
  return [];
}

/** Sessions of ours with other implementations: see the README beside them. */
export function ownSessions(): readonly Session[] {
  return sessionsIn(join(import.meta.dirname, '../vectors/dlms'));
}

function sessionsIn(folder: string): readonly Session[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
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

export function framingOf({ frames }: Pick<Session, 'frames'>): 'hdlc' | 'wrapper' {
  return frames[0]?.hex.startsWith('7E') === true ? 'hdlc' : 'wrapper';
}

const WRAPPER_BYTES = 8;

/** What a frame carries, or begins to; nothing where it goes on, or is the data link's own. */
export function carriedIn({ hex }: SessionFrame): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes[0] !== 0x7e) return bytes.subarray(WRAPPER_BYTES);
  const { control, information } = decodeHdlcFrame(bytes.subarray(1, -1));
  const apdu = control.kind === 'I' ? withoutLlc(information) : information;
  return apdu.length < information.length ? apdu : new Uint8Array(0);
}

/** The same in clear. */
export function apduIn(frame: SessionFrame): Uint8Array {
  return frame.plaintext === undefined ? carriedIn(frame) : fromHex(frame.plaintext);
}

/** Every APDU of a session in order, without HDLC or wrapper. */
export function apdusOf(session: Session): readonly SessionApdu[] {
  const { frames } = session;
  const framing = framingOf(session);
  const ways = { tx: deframerFor(framing), rx: deframerFor(framing) };
  return frames.flatMap(({ dir, hex }) =>
    ways[dir]
      .push(fromHex(hex))
      .flatMap((event) => (event.kind === 'frame' ? [{ dir, bytes: event.frame.bytes }] : []))
      .filter(({ bytes }) => bytes.length > 0),
  );
}
