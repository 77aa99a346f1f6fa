import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { AesGcm } from '../aead.ts';
import { looksLikeApdu } from './apdu-tags.ts';
import { joined } from './octets.ts';
import type { AuthenticationPolicy, CipherKeys, SecurityControl } from './security.ts';
import {
  TAG_BYTES,
  byteOfSecurityControl,
  checkedKey,
  encryptionKeyOf,
  nonceOf,
  securityControlFrom,
} from './security.ts';

/** A deciphered text and what is known of it. */
export interface Deciphered {
  readonly plaintext: Uint8Array;
  readonly systemTitle: Uint8Array;
  readonly securityControl: SecurityControl;
  readonly invocationCounter: number;
  /** False where the authentication tag was absent or, by policy, not checked. */
  readonly verified: boolean;
}

export interface Opening {
  readonly systemTitle: Uint8Array;
  readonly keys: CipherKeys;
  readonly policy: AuthenticationPolicy;
  readonly cipher: AesGcm;
  readonly dedicated?: boolean;
  /** Of a general-ciphering APDU: the fields that are authenticated with the text. */
  readonly header?: Uint8Array;
  /** Whether a plaintext can be what was sent; without a checked tag it is all that tells. */
  readonly plausible?: (plaintext: Uint8Array) => boolean;
}

/**
 * Opens the ciphered body: security control, invocation counter, text and tag (IEC 62056-5-3,
 * 5.3.5.3). Additional data are the control byte, the authentication key and, for a text that is
 * only authenticated, the text (Table 19).
 *
 * Errors: `truncated`; `key-missing`, `bad-key`; `wrong-key` when the text makes no sense;
 * `wrong-authentication-key` when it does, and the tag does not match; `not-authenticated` under
 * the policy `require`; `compressed` (V.44 is not read).
 */
export function decipher(body: Uint8Array, opening: Opening): Deciphered {
  const reader = new Reader(body);
  const controlByte = reader.u8('security-control');
  const control = securityControlFrom(controlByte);
  const invocationCounter = reader.u32('invocation-counter');
  if (control.compressed) {
    throw new OperatingError('compressed', 'compressed APDUs (V.44) are not read', { offset: 0 });
  }
  const textLength = reader.remaining - (control.authenticated ? TAG_BYTES : 0);
  const text = reader.take(textLength, 'ciphered-text');
  const tag = reader.take(reader.remaining);
  const sealed: Sealed = { control, controlByte, text, tag, invocationCounter, opening };
  const { plaintext, verified } = unlocked(sealed);
  const { systemTitle } = opening;
  return { plaintext, systemTitle, securityControl: control, invocationCounter, verified };
}

interface Sealed {
  readonly control: SecurityControl;
  readonly controlByte: number;
  readonly text: Uint8Array;
  readonly tag: Uint8Array;
  readonly invocationCounter: number;
  readonly opening: Opening;
}

function unlocked(sealed: Sealed): { plaintext: Uint8Array; verified: boolean } {
  const authentication = authenticationKeyOf(sealed);
  const plaintext = authentication === undefined ? undefined : verifiedText(sealed, authentication);
  if (plaintext !== undefined) return { plaintext, verified: true };
  const unverified = unverifiedText(sealed);
  if (sealed.control.encrypted && !isPlausible(sealed, unverified)) throw wrongKey();
  // The text makes sense, so of the two keys only the other can be wrong.
  if (authentication !== undefined) throw wrongAuthenticationKey();
  return { plaintext: unverified, verified: false };
}

/** The key to check the tag with; `undefined` where policy lets the tag go unchecked. */
function authenticationKeyOf({ control, opening }: Sealed): Uint8Array | undefined {
  const { policy, keys } = opening;
  if (policy === 'never') return undefined;
  if (!control.authenticated) {
    if (policy === 'if-key') return undefined;
    throw new OperatingError('not-authenticated', 'the APDU carries no authentication tag', {
      offset: 0,
      field: 'security-control',
      hint: 'set the authentication policy to "if-key" if this meter only encrypts',
    });
  }
  if (keys.authentication !== undefined) {
    return checkedKey(keys.authentication, 'authentication-key');
  }
  if (policy === 'if-key') return undefined;
  throw new OperatingError('key-missing', 'no authentication key to check the tag with', {
    field: 'authentication-key',
    hint: 'ask for the authentication key, or set the authentication policy to "if-key"',
  });
}

function verifiedText(sealed: Sealed, authentication: Uint8Array): Uint8Array | undefined {
  const { control, controlByte, text, tag, opening } = sealed;
  const nonce = nonceOf(opening.systemTitle, sealed.invocationCounter);
  const key = encryptionKeyOf(opening.keys, control, opening.dedicated === true);
  const header = additionalData(controlByte, authentication, opening.header);
  if (control.encrypted) return opening.cipher.open(key, nonce, text, header, tag);
  const data = joined(header, text);
  const nothing = opening.cipher.open(key, nonce, new Uint8Array(0), data, tag);
  return nothing === undefined ? undefined : text;
}

function unverifiedText({ control, text, invocationCounter, opening }: Sealed): Uint8Array {
  if (!control.encrypted) return text;
  const key = encryptionKeyOf(opening.keys, control, opening.dedicated === true);
  const nonce = nonceOf(opening.systemTitle, invocationCounter);
  const plaintext = opening.cipher.open(key, nonce, text, new Uint8Array(0), undefined);
  return plaintext ?? new Uint8Array(0);
}

function isPlausible({ opening }: Sealed, plaintext: Uint8Array): boolean {
  return (opening.plausible ?? looksLikeApdu)(plaintext);
}

function wrongKey(): OperatingError {
  return new OperatingError('wrong-key', 'the encryption key does not fit', {
    field: 'encryption-key',
    hint: 'compare the encryption key with the one the grid operator gave for this meter number',
  });
}

function wrongAuthenticationKey(): OperatingError {
  const message = 'the authentication key does not fit';
  return new OperatingError('wrong-authentication-key', message, {
    field: 'authentication-key',
    hint: 'the encryption key fits: check the authentication key, or set the policy to "never"',
  });
}

export interface Sealing {
  readonly systemTitle: Uint8Array;
  readonly securityControl: SecurityControl;
  /** Never twice the same under one key; the caller keeps it. */
  readonly invocationCounter: number;
  readonly keys: CipherKeys;
  readonly cipher: AesGcm;
  readonly dedicated?: boolean;
  /** As in `Opening`. */
  readonly header?: Uint8Array;
}

/** The ciphered body of `plaintext`, as `decipher` reads it. */
export function encipher(plaintext: Uint8Array, sealing: Sealing): Uint8Array {
  const { securityControl: control, invocationCounter, keys } = sealing;
  const controlByte = byteOfSecurityControl(control);
  const writer = new Writer(plaintext.length + 32).u8(controlByte).u32(invocationCounter);
  if (!control.authenticated && !control.encrypted) return writer.bytes(plaintext).finish();
  const key = encryptionKeyOf(keys, control, sealing.dedicated === true);
  const nonce = nonceOf(sealing.systemTitle, invocationCounter);
  const header = control.authenticated
    ? additionalData(controlByte, authenticationKeyIn(keys), sealing.header)
    : new Uint8Array(0);
  const secret = control.encrypted ? plaintext : new Uint8Array(0);
  const data = control.encrypted ? header : joined(header, plaintext);
  const { ciphertext, tag } = sealing.cipher.seal(key, nonce, secret, data, TAG_BYTES);
  writer.bytes(control.encrypted ? ciphertext : plaintext);
  return (control.authenticated ? writer.bytes(tag) : writer).finish();
}

function authenticationKeyIn({ authentication }: CipherKeys): Uint8Array {
  if (authentication !== undefined) return checkedKey(authentication, 'authentication-key');
  throw new OperatingError('key-missing', 'no authentication key to seal with', {
    field: 'authentication-key',
    hint: 'ask the grid operator for the authentication key of this meter',
  });
}

function additionalData(
  controlByte: number,
  authentication: Uint8Array,
  header: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return joined(Uint8Array.of(controlByte), authentication, header);
}
