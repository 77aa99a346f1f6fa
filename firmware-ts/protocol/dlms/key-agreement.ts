import { OperatingError } from '#bytes/failure.ts';
import type { Ciphers, EllipticCurve, EllipticKeyPair } from '../ciphers.ts';
import type { GeneralHeader } from './general-header.ts';
import type { KeyInfo } from './key-info.ts';
import { KEY_AGREEMENT } from './key-info.ts';
import { joined } from './octets.ts';

/** Object identifiers of AES-GCM-128 and AES-GCM-256 (IEC 62056-5-3, 5.3.4.6.5). */
const SUITES = {
  'P-256': { algorithm: [0x60, 0x85, 0x74, 5, 8, 3, 0], digest: 'sha-256', keyBytes: 16 },
  'P-384': { algorithm: [0x60, 0x85, 0x74, 5, 8, 3, 1], digest: 'sha-384', keyBytes: 32 },
} as const;

/**
 * The key derivation of NIST SP 800-56A, 5.8.1 (concatenation, one round, as its digests are longer
 * than the keys): the leftmost bytes of digest(1 ∥ Z ∥ algorithm ∥ party U ∥ party V).
 */
export function derivedKey(
  curve: EllipticCurve,
  secret: Uint8Array,
  partyU: Uint8Array,
  partyV: Uint8Array,
  ciphers: Ciphers,
): Uint8Array {
  const { algorithm, digest, keyBytes } = SUITES[curve];
  const first = Uint8Array.of(0, 0, 0, 1);
  const input = joined(first, secret, Uint8Array.from(algorithm), partyU, partyV);
  return ciphers.digest(digest, input).subarray(0, keyBytes);
}

/** The curve keys of both sides, as far as this side has them. */
export interface AgreementKeys {
  /** Own pair for key agreement. */
  readonly agreement?: EllipticKeyPair;
  /** The peer's point for key agreement. */
  readonly peerAgreement?: Uint8Array;
  /** Own pair for digital signature. */
  readonly signing?: EllipticKeyPair;
  /** The peer's point for digital signature. */
  readonly peerSigning?: Uint8Array;
}

type Agreed = Extract<KeyInfo, { readonly kind: 'agreed-key' }>;

/** A key for what goes out, and what lets the peer find it. */
export interface Agreement {
  readonly key: Uint8Array;
  readonly keyInfo: Agreed;
}

/**
 * One-pass Diffie-Hellman, C(1e, 1s) (IEC 62056-5-3, 5.3.4.6.3): a fresh pair of ours, signed, with
 * the static point of the peer. Errors: `key-missing`, `bad-key`.
 */
export function agreeOnePass(
  keys: AgreementKeys,
  header: GeneralHeader,
  ciphers: Ciphers,
): Agreement {
  const signing = present(keys.signing, 'signing-key');
  const peer = present(keys.peerAgreement, 'peer-agreement-key');
  const ephemeral = ciphers.generateKeyPair(signing.curve);
  const { originatorSystemTitle: partyU, recipientSystemTitle: partyV } = header;
  const secret = ciphers.agree(ephemeral, peer);
  const signature = ciphers.sign(signing, ephemeral.publicKey);
  return {
    key: derivedKey(signing.curve, secret, partyU, partyV, ciphers),
    keyInfo: {
      kind: 'agreed-key',
      keyParameters: Uint8Array.of(KEY_AGREEMENT.onePass),
      keyCipheredData: joined(ephemeral.publicKey, signature),
    },
  };
}

/**
 * Static unified model, C(0e, 2s) (5.3.4.6.4): both static pairs, and the transaction as nonce.
 * Errors: `key-missing`, `bad-key`.
 */
export function agreeStatic(
  keys: AgreementKeys,
  header: GeneralHeader,
  ciphers: Ciphers,
): Agreement {
  return {
    key: staticKey(keys, header, ciphers),
    keyInfo: {
      kind: 'agreed-key',
      keyParameters: Uint8Array.of(KEY_AGREEMENT.staticUnified),
      keyCipheredData: new Uint8Array(0),
    },
  };
}

/**
 * The key that a peer's key information leads to. Errors: `key-missing`, `bad-key`,
 * `not-authentic` for an ephemeral point that the peer did not sign, `unknown-key-agreement`.
 */
export function agreedKey(
  keyInfo: Agreed,
  header: GeneralHeader,
  keys: AgreementKeys,
  ciphers: Ciphers,
): Uint8Array {
  const [scheme] = keyInfo.keyParameters;
  if (scheme === KEY_AGREEMENT.staticUnified) return staticKey(keys, header, ciphers);
  if (scheme === KEY_AGREEMENT.onePass) return onePassKey(keyInfo, header, keys, ciphers);
  const message = `key agreement ${scheme ?? 'without a scheme'}`;
  throw new OperatingError('unknown-key-agreement', message, { field: 'key-parameters' });
}

function onePassKey(
  { keyCipheredData: data }: Agreed,
  header: GeneralHeader,
  keys: AgreementKeys,
  ciphers: Ciphers,
): Uint8Array {
  const own = present(keys.agreement, 'agreement-key');
  const signer = present(keys.peerSigning, 'peer-signing-key');
  const point = data.subarray(0, signer.length);
  if (!ciphers.verify(own.curve, signer, point, data.subarray(signer.length))) {
    throw new OperatingError('not-authentic', 'the ephemeral key is not signed by this meter', {
      field: 'key-ciphered-data',
      hint: "compare the meter's signing key with its certificate",
    });
  }
  const { originatorSystemTitle: partyU, recipientSystemTitle: partyV } = header;
  return derivedKey(own.curve, ciphers.agree(own, point), partyU, partyV, ciphers);
}

function staticKey(keys: AgreementKeys, header: GeneralHeader, ciphers: Ciphers): Uint8Array {
  const own = present(keys.agreement, 'agreement-key');
  const secret = ciphers.agree(own, present(keys.peerAgreement, 'peer-agreement-key'));
  const { transactionId, originatorSystemTitle, recipientSystemTitle } = header;
  const nonce = joined(Uint8Array.of(transactionId.length), transactionId);
  const partyU = joined(originatorSystemTitle, nonce);
  return derivedKey(own.curve, secret, partyU, recipientSystemTitle, ciphers);
}

function present<Key>(key: Key | undefined, field: string): Key {
  if (key !== undefined) return key;
  throw new OperatingError('key-missing', `no ${field.replaceAll('-', ' ')}`, {
    field,
    hint: 'put it into the keyring, under the name of this meter',
  });
}
