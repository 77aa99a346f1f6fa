import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { readKeyFile } from '#config/key-file.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';

/** Keys as hex or `@file`, from options. */
export interface KeyWords {
  readonly key?: string | undefined;
  readonly authKey?: string | undefined;
}

/**
 * The keys of the options, or else of `NORMD_KEY` and `NORMD_AUTH_KEY`.
 * Errors: `bad-key` and those of `readKeyFile`; none shows anything of a key.
 */
export function keysFrom(words: KeyWords, environment: NodeJS.ProcessEnv): CipherKeys {
  const encryption = keyOf('--key', words.key ?? environment['NORMD_KEY']);
  const authentication = keyOf('--auth-key', words.authKey ?? environment['NORMD_AUTH_KEY']);
  return {
    ...(encryption === undefined ? {} : { encryption }),
    ...(authentication === undefined ? {} : { authentication }),
  };
}

function keyOf(option: string, word: string | undefined): Uint8Array | undefined {
  if (word === undefined || word === '') return undefined;
  if (word.startsWith('@')) return readKeyFile(word.slice(1));
  const key = bytesOf(word);
  if (key?.length === 16 || key?.length === 32) return key;
  throw new OperatingError('bad-key', `what ${option} says is not 16 or 32 bytes in hex`, {
    hint: `write 32 or 64 hex digits, or ${option} @FILE`,
  });
}

function bytesOf(word: string): Uint8Array | undefined {
  try {
    return fromHex(word);
  } catch (error) {
    if (error instanceof OperatingError) return undefined; // its message would show a digit
    throw error;
  }
}
