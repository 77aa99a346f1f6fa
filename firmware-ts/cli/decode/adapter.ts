import type { DataLayout } from '#protocol/c37118/data.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import type { DecodedLine } from './line.ts';

/** One row of the table of what can be decoded. */
export interface Adapter {
  /** For `--as`. */
  readonly name: string;
  /** As a configuration calls it. */
  readonly protocol: string;
  looksLike(bytes: Uint8Array): Likeness;
  /** Lines in the stream's order; hostile bytes give lines, never an exception. */
  decode(chunks: readonly Uint8Array[], context: DecodeContext): Generator<DecodedLine>;
}

/** `begins`: starts like this; `perhaps`: it may be in there; `no`: it cannot be. */
export type Likeness = 'begins' | 'perhaps' | 'no';

/** What all streams of one input share. */
export interface DecodeContext {
  readonly keys: CipherKeys;
  /** By IDCODE: in a capture one stream may bring the configuration and another one the data. */
  readonly layouts: Map<number, DataLayout>;
}

/** Milliseconds after the last chunk, when whatever is unfinished is given up. */
export const END_OF_INPUT_MS = 1e9;
