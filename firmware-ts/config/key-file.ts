import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { readBounded } from '#system/bounded-file.ts';

/** 64 digits, separators and line ends; anything longer is no key. */
const KEY_FILE_BYTES_MAX = 1024;

/**
 * The key in a file of hex text, 16 or 32 bytes. The file must be its owner's alone (0600).
 * Errors: `bad-key-file` and those of `readBounded`; none holds any of the content.
 */
export function readKeyFile(path: string): Uint8Array {
  const bytes = readBounded(path, { users: 'owner', bytesMax: KEY_FILE_BYTES_MAX });
  return keyFromText(path, bytes.toString('latin1'));
}

function keyFromText(path: string, text: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = fromHex(text);
  } catch (error) {
    throw badKey(path, `has no hex text at character ${(failureOf(error).offset ?? 0) + 1}`);
  }
  if (key.length === 16 || key.length === 32) return key;
  throw badKey(path, `holds ${key.length} bytes`);
}

function badKey(path: string, what: string): OperatingError {
  return new OperatingError('bad-key-file', `${path} ${what}`, {
    hint: 'write the key as 32 or 64 hex digits',
  });
}
