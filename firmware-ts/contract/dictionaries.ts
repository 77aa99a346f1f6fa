import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { DICTIONARY_1_HEX, DICTIONARY_1_SHA256 } from './dictionary-1.ts';

/** Published dictionaries by number; 0 is none. */
export type DictionaryNumber = 0 | 1;

/** With their SHA-256 in hex, so that a receiver can tell that it has the same. */
export interface PublishedDictionary {
  readonly number: DictionaryNumber;
  readonly sha256: string;
}

export const DICTIONARIES: readonly PublishedDictionary[] = [
  { number: 1, sha256: DICTIONARY_1_SHA256 },
];

let dictionary1: Uint8Array | undefined;

/** `undefined` for 0. Errors: `unknown-dictionary`. */
export function dictionaryOf(number: unknown): Uint8Array | undefined {
  if (number === 0) return undefined;
  if (number === 1) return (dictionary1 ??= fromHex(DICTIONARY_1_HEX));
  throw new OperatingError('unknown-dictionary', 'of a later normd', { field: 'dictionary' });
}
