import { OperatingError } from '#bytes/failure.ts';

/** Security control byte (IEC 62056-5-3, 5.3.5.3, Table 18). */
export interface SecurityControl {
  /** Security suite 0 … 2; some meters send others, whose ciphering is that of suite 0. */
  readonly suite: number;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** The broadcast encryption key is meant, not the unicast one. */
  readonly broadcastKey: boolean;
  readonly compressed: boolean;
}

/** AES-128 with SHA-256 and P-256 where curves are used (0, 1), or AES-256, SHA-384, P-384 (2). */
export type SecuritySuite = 0 | 1 | 2;

const BITS = {
  authenticated: 0x10,
  encrypted: 0x20,
  broadcastKey: 0x40,
  compressed: 0x80,
} as const;

export function securityControlFrom(byte: number): SecurityControl {
  return {
    suite: byte & 0x0f,
    authenticated: (byte & BITS.authenticated) !== 0,
    encrypted: (byte & BITS.encrypted) !== 0,
    broadcastKey: (byte & BITS.broadcastKey) !== 0,
    compressed: (byte & BITS.compressed) !== 0,
  };
}

export function byteOfSecurityControl(control: SecurityControl): number {
  let byte = control.suite & 0x0f;
  if (control.authenticated) byte |= BITS.authenticated;
  if (control.encrypted) byte |= BITS.encrypted;
  if (control.broadcastKey) byte |= BITS.broadcastKey;
  if (control.compressed) byte |= BITS.compressed;
  return byte;
}

/** Keys of one meter: 16 bytes in suites 0 and 1, 32 in suite 2. */
export interface CipherKeys {
  /** Global unicast encryption key (GUEK). */
  readonly encryption?: Uint8Array;
  /** Authentication key (GAK). */
  readonly authentication?: Uint8Array;
  /** Global broadcast encryption key (GBEK). */
  readonly broadcast?: Uint8Array;
  /** Dedicated key of the association, for ded-ciphering. */
  readonly dedicated?: Uint8Array;
}

/**
 * Whether the authentication tag is checked. Authentication keys in circulation are often wrong,
 * so `if-key` checks when there is a key and `never` does not; what was not checked is marked,
 * also what came in clear although there are keys. `require` takes nothing unchecked.
 */
export type AuthenticationPolicy = 'require' | 'if-key' | 'never';

/**
 * Whether a message that came in clear is to be marked as unverified: its sender is known to have
 * keys, so anyone can have sent it. Errors: `not-authenticated` under the policy `require`.
 */
export function isUnverifiedInClear(keys: CipherKeys, policy: AuthenticationPolicy): boolean {
  if (policy !== 'require') return Object.values(keys).some((key) => key !== undefined);
  throw new OperatingError('not-authenticated', 'it came in clear, authentication is required', {
    offset: 0,
    hint: 'set the authentication policy to "if-key" if this meter does not cipher',
  });
}

export const SYSTEM_TITLE_BYTES = 8;
/** Tags are truncated to 96 bits in every suite (IEC 62056-5-3, 5.3.3.7.2). */
export const TAG_BYTES = 12;

/** Which key deciphers, by the security control byte and the kind of ciphering. */
export function encryptionKeyOf(
  keys: CipherKeys,
  control: SecurityControl,
  dedicated: boolean,
): Uint8Array {
  const name = dedicated ? 'dedicated' : control.broadcastKey ? 'broadcast' : 'encryption';
  const key = keys[name];
  if (key === undefined) {
    throw new OperatingError('key-missing', `no ${name} key for a ciphered APDU`, {
      field: `${name}-key`,
      hint: 'ask the grid operator for the key of this meter and put it into the configuration',
    });
  }
  return checkedKey(key, `${name}-key`);
}

/** Errors: `bad-key` when a key has no length that any suite knows. */
export function checkedKey(key: Uint8Array, field: string): Uint8Array {
  if (key.length === 16 || key.length === 32) return key;
  throw new OperatingError('bad-key', `a key has 16 or 32 bytes, this one ${key.length}`, {
    field,
  });
}

/** Initialisation vector: system title, then invocation counter (IEC 62056-5-3, 5.3.3.7.3). */
export function nonceOf(systemTitle: Uint8Array, invocationCounter: number): Uint8Array {
  if (systemTitle.length !== SYSTEM_TITLE_BYTES) {
    throw new OperatingError('bad-system-title', `${systemTitle.length} bytes instead of 8`, {
      field: 'system-title',
    });
  }
  const nonce = new Uint8Array(SYSTEM_TITLE_BYTES + 4);
  nonce.set(systemTitle);
  new DataView(nonce.buffer).setUint32(SYSTEM_TITLE_BYTES, invocationCounter);
  return nonce;
}
