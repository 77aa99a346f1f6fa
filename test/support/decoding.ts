import { fromHex } from '#bytes/hex.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import type { DecodedLine } from '../../firmware-ts/cli/decode/line.ts';
import { decodeStreams } from '../../firmware-ts/cli/decode/run.ts';
import { streamsOf } from '../../firmware-ts/cli/decode/streams.ts';
import type { MeterVector } from './vectors.ts';

export interface DecodingOptions {
  readonly keys?: CipherKeys;
  readonly as?: string;
}

/** What `normctl decode` prints of these bytes. */
export function decoded(
  bytes: Uint8Array,
  { keys = {}, as }: DecodingOptions = {},
): readonly DecodedLine[] {
  return [...decodeStreams(streamsOf(bytes), { keys, ...(as === undefined ? {} : { as }) })];
}

export function keysOf({ keys }: MeterVector): CipherKeys {
  const { guek, gak } = keys ?? { guek: null, gak: null };
  return {
    ...(guek === null ? {} : { encryption: fromHex(guek) }),
    ...(gak === null ? {} : { authentication: fromHex(gak) }),
  };
}

export function codesOf(lines: readonly DecodedLine[]): readonly (string | undefined)[] {
  return lines.map(({ error }) => error?.code);
}
