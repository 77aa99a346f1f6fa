import type { AesGcm } from './aead.ts';

export type EllipticCurve = 'P-256' | 'P-384';

/** A pair of a NIST curve: the private number, and the point as x and y, each as long as it. */
export interface EllipticKeyPair {
  readonly curve: EllipticCurve;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/**
 * All cryptography that DLMS/COSEM uses, as a port (IEC 62056-5-3, 5.3): pure rooms have neither
 * ciphers nor entropy. Keys and points are raw bytes.
 */
export interface Ciphers {
  readonly aesGcm: AesGcm;
  /** RFC 3394, with a key of 16 or 32 bytes. */
  wrapKey(wrappingKey: Uint8Array, key: Uint8Array): Uint8Array;
  /** `undefined` when the integrity check fails. */
  unwrapKey(wrappingKey: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined;
  /** AES of whole blocks, each for itself: mechanism 2 as vendors do it, nothing else. */
  encryptBlocks(key: Uint8Array, blocks: Uint8Array): Uint8Array;
  digest(name: 'md5' | 'sha-1' | 'sha-256' | 'sha-384', bytes: Uint8Array): Uint8Array;
  /** ECDSA with SHA-256 (P-256) or SHA-384 (P-384): r and s, each as long as the curve. */
  sign(pair: EllipticKeyPair, bytes: Uint8Array): Uint8Array;
  verify(
    curve: EllipticCurve,
    publicKey: Uint8Array,
    bytes: Uint8Array,
    signature: Uint8Array,
  ): boolean;
  /** The shared secret Z (x coordinate). Errors: `bad-key` for a point off the curve. */
  agree(pair: EllipticKeyPair, peer: Uint8Array): Uint8Array;
  generateKeyPair(curve: EllipticCurve): EllipticKeyPair;
  randomBytes(length: number): Uint8Array;
}
