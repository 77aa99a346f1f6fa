import type { JsonWebKey, KeyObject } from 'node:crypto';
import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { OperatingError } from '#bytes/failure.ts';
import type { Ciphers, EllipticCurve, EllipticKeyPair } from '#protocol/ciphers.ts';
import { machineAesGcm } from './cipher.ts';

/** The cryptography of DLMS/COSEM by the machine's OpenSSL. Keys are never kept. */
export const machineCiphers: Ciphers = {
  aesGcm: machineAesGcm,
  wrapKey(wrappingKey, key) {
    const cipher = createCipheriv(wrapOf(wrappingKey), wrappingKey, WRAP_START);
    return Buffer.concat([cipher.update(key), cipher.final()]);
  },
  unwrapKey(wrappingKey, wrapped) {
    if (wrapped.length < WRAPPED_BYTES_MIN) return undefined;
    const decipher = createDecipheriv(wrapOf(wrappingKey), wrappingKey, WRAP_START);
    try {
      return Buffer.concat([decipher.update(wrapped), decipher.final()]);
    } catch {
      return undefined; // OpenSSL has one answer for a wrong length and a failed check
    }
  },
  encryptBlocks(key, blocks) {
    const name = key.length === 32 ? 'aes-256-ecb' : 'aes-128-ecb';
    const cipher = createCipheriv(name, key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(blocks), cipher.final()]);
  },
  digest: (name, bytes) => createHash(DIGESTS[name]).update(bytes).digest(),
  sign(pair, bytes) {
    const key = privateKeyOf(pair);
    return sign(CURVES[pair.curve].digest, bytes, { key, dsaEncoding: 'ieee-p1363' });
  },
  verify(curve, publicKey, bytes, signature) {
    const key = publicKeyOf(curve, publicKey);
    return verify(CURVES[curve].digest, bytes, { key, dsaEncoding: 'ieee-p1363' }, signature);
  },
  agree(pair, peer) {
    const privateKey = privateKeyOf(pair);
    return diffieHellman({ privateKey, publicKey: publicKeyOf(pair.curve, peer) });
  },
  generateKeyPair(curve) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: CURVES[curve].name });
    const { d = '', x = '', y = '' } = privateKey.export({ format: 'jwk' });
    const publicKey = Buffer.concat([fromBase64Url(x), fromBase64Url(y)]);
    return { curve, privateKey: fromBase64Url(d), publicKey };
  },
  randomBytes: (length) => randomBytes(length),
};

/**
 * The pair whose private number is known: its point is worked out. Errors: `bad-key` for a number
 * that is none of this curve.
 */
export function keyPairOf(curve: EllipticCurve, privateKey: Uint8Array): EllipticKeyPair {
  checkLength(privateKey, CURVES[curve].bytes, 'private-key');
  const agreement = createECDH(CURVES[curve].name);
  const publicKey = onCurve('private-key', () => {
    agreement.setPrivateKey(privateKey);
    return agreement.getPublicKey().subarray(1); // without the 04 that says "uncompressed"
  });
  return { curve, privateKey, publicKey };
}

/** RFC 3394, 2.2.3.1: the initial value, which unwrapping checks. */
const WRAP_START = Buffer.alloc(8, 0xa6);
/** A key of 16 bytes; OpenSSL takes nothing at all for a wrapped nothing. */
const WRAPPED_BYTES_MIN = 24;

const DIGESTS = { md5: 'md5', 'sha-1': 'sha1', 'sha-256': 'sha256', 'sha-384': 'sha384' } as const;

/** FIPS 186-4, D.1.2, and the digest that a suite goes with (IEC 62056-5-3, 5.3.7). */
const CURVES = {
  'P-256': { name: 'prime256v1', bytes: 32, digest: 'sha256' },
  'P-384': { name: 'secp384r1', bytes: 48, digest: 'sha384' },
} as const;

function wrapOf(key: Uint8Array): 'id-aes128-wrap' | 'id-aes256-wrap' {
  return key.length === 32 ? 'id-aes256-wrap' : 'id-aes128-wrap';
}

function privateKeyOf({ curve, privateKey, publicKey }: EllipticKeyPair): KeyObject {
  checkLength(privateKey, CURVES[curve].bytes, 'private-key');
  const key = { ...pointOf(curve, publicKey), d: toBase64Url(privateKey) };
  return onCurve('private-key', () => createPrivateKey({ key, format: 'jwk' }));
}

function publicKeyOf(curve: EllipticCurve, publicKey: Uint8Array): KeyObject {
  const key = pointOf(curve, publicKey);
  return onCurve('public-key', () => createPublicKey({ key, format: 'jwk' }));
}

function pointOf(curve: EllipticCurve, publicKey: Uint8Array): JsonWebKey {
  const { bytes } = CURVES[curve];
  checkLength(publicKey, 2 * bytes, 'public-key');
  const x = toBase64Url(publicKey.subarray(0, bytes));
  return { kty: 'EC', crv: curve, x, y: toBase64Url(publicKey.subarray(bytes)) };
}

function checkLength(key: Uint8Array, bytes: number, field: string): void {
  if (key.length === bytes) return;
  throw new OperatingError('bad-key', `${key.length} bytes instead of ${bytes}`, { field });
}

/** OpenSSL says in many ways that a number or a point is not of the curve. */
function onCurve<Result>(field: string, make: () => Result): Result {
  try {
    return make();
  } catch (cause) {
    throw new OperatingError('bad-key', `the ${field.replace('-', ' ')} is not on its curve`, {
      field,
      cause,
    });
  }
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function fromBase64Url(text: string): Uint8Array {
  return Buffer.from(text, 'base64url');
}
