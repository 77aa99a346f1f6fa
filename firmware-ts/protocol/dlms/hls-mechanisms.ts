import { OperatingError } from '#bytes/failure.ts';
import type { Ciphers, EllipticKeyPair } from '../ciphers.ts';
import { decipher, encipher } from './ciphering.ts';
import type { InvocationCounters } from './invocation-counter.ts';
import { areEqual, joined } from './octets.ts';
import type { CipherKeys, SecuritySuite } from './security.ts';
import { TAG_BYTES, byteOfSecurityControl, securityControlFrom } from './security.ts';

/** What both sides know after passes 1 and 2 (IEC 62056-5-3, 5.2.2.2.3). */
export interface Passes {
  readonly clientTitle: Uint8Array;
  readonly serverTitle: Uint8Array;
  /** CtoS, in the AARQ. */
  readonly clientChallenge: Uint8Array;
  /** StoC, in the AARE. */
  readonly serverChallenge: Uint8Array;
}

export type Side = 'client' | 'server';

/** What makes f(StoC) as the client, and f(CtoS) as the server; and judges the other's. */
export interface ChallengeFunction {
  prove(by: Side, passes: Passes): Uint8Array;
  isProof(by: Side, passes: Passes, proof: Uint8Array): boolean;
  /** Whether titles go into it, so that a proof is of one side even if the challenges are equal. */
  readonly bindsTitles: boolean;
}

/**
 * Mechanism 2 as most vendors do it, the standard leaving it open: the challenge under AES-128, in
 * blocks each for itself, with the secret as key; zeros fill up both. Errors: `bad-key`.
 */
export function blockCipherFunction(secret: Uint8Array, ciphers: Ciphers): ChallengeFunction {
  if (secret.length > AES_BYTES) {
    throw new OperatingError('bad-key', `a secret of ${secret.length} bytes, 16 at most`, {
      field: 'secret',
    });
  }
  const key = filledUp(secret);
  return repeated((by, passes) => ciphers.encryptBlocks(key, filledUp(challengeTo(by, passes))));
}

/** Mechanisms 3 and 4: the digest of challenge and secret. */
export function digestFunction(
  name: 'md5' | 'sha-1',
  secret: Uint8Array,
  ciphers: Ciphers,
): ChallengeFunction {
  return repeated((by, passes) => ciphers.digest(name, joined(challengeTo(by, passes), secret)));
}

/** Mechanism 6: secret, own title, the other's, the other's challenge, own challenge. */
export function sha256Function(secret: Uint8Array, ciphers: Ciphers): ChallengeFunction {
  const prove = (by: Side, passes: Passes): Uint8Array =>
    ciphers.digest('sha-256', joined(secret, ...inOrderOf(by, passes)));
  return { ...repeated(prove), bindsTitles: true };
}

export interface GmacOptions {
  readonly suite: SecuritySuite;
  readonly keys: CipherKeys;
  readonly counters: InvocationCounters;
  readonly ciphers: Ciphers;
}

/**
 * Mechanism 5: security control, invocation counter, and the tag of the challenge. Errors:
 * `key-missing`, `bad-key`, `bad-system-title`, those of the counters.
 */
export function gmacFunction({ suite, keys, counters, ciphers }: GmacOptions): ChallengeFunction {
  const cipher = ciphers.aesGcm;
  return {
    bindsTitles: true,
    prove(by, passes) {
      const sealed = encipher(challengeTo(by, passes), {
        systemTitle: titleOf(by, passes),
        securityControl: { ...securityControlFrom(AUTHENTICATED), suite },
        invocationCounter: counters.next(),
        keys,
        cipher,
      });
      const tag = sealed.subarray(-TAG_BYTES);
      return joined(sealed.subarray(0, COUNTED_BYTES), tag);
    },
    isProof(by, passes, proof) {
      if (proof.length !== COUNTED_BYTES + TAG_BYTES) return false;
      const control = securityControlFrom(proof[0] ?? 0);
      if (byteOfSecurityControl({ ...control, suite: 0 }) !== AUTHENTICATED) return false;
      const head = proof.subarray(0, COUNTED_BYTES);
      const tag = proof.subarray(COUNTED_BYTES);
      const body = joined(head, challengeTo(by, passes), tag);
      return isAuthentic(() =>
        decipher(body, { systemTitle: titleOf(by, passes), keys, policy: 'require', cipher }),
      );
    },
  };
}

export interface SignatureOptions {
  readonly own: EllipticKeyPair;
  /** The peer's point for digital signature. */
  readonly peer: Uint8Array;
  readonly ciphers: Ciphers;
}

/** Mechanism 7: ECDSA over titles and challenges, on P-256 (suite 1) or P-384 (suite 2). */
export function signatureFunction({ own, peer, ciphers }: SignatureOptions): ChallengeFunction {
  return {
    bindsTitles: true,
    prove: (by, passes) => ciphers.sign(own, joined(...inOrderOf(by, passes))),
    isProof: (by, passes, proof) =>
      ciphers.verify(own.curve, peer, joined(...inOrderOf(by, passes)), proof),
  };
}

const AUTHENTICATED = 0x10;
const AES_BYTES = 16;
/** Security control and invocation counter. */
const COUNTED_BYTES = 5;

/** A function that both sides can work out, so that a proof is judged by making it again. */
function repeated(prove: ChallengeFunction['prove']): ChallengeFunction {
  return {
    prove,
    isProof: (by, passes, proof) => areEqual(prove(by, passes), proof),
    bindsTitles: false,
  };
}

function challengeTo(by: Side, { clientChallenge, serverChallenge }: Passes): Uint8Array {
  return by === 'client' ? serverChallenge : clientChallenge;
}

function titleOf(by: Side, { clientTitle, serverTitle }: Passes): Uint8Array {
  return by === 'client' ? clientTitle : serverTitle;
}

/** Own title, the other's, the other's challenge, own challenge (Table 17). */
function inOrderOf(by: Side, passes: Passes): readonly Uint8Array[] {
  const { clientTitle, serverTitle, clientChallenge, serverChallenge } = passes;
  return by === 'client'
    ? [clientTitle, serverTitle, serverChallenge, clientChallenge]
    : [serverTitle, clientTitle, clientChallenge, serverChallenge];
}

function isAuthentic(open: () => { readonly verified: boolean }): boolean {
  try {
    return open().verified;
  } catch (error) {
    if (error instanceof OperatingError && WRONG.includes(error.code)) return false;
    throw error;
  }
}

const WRONG = ['wrong-key', 'wrong-authentication-key'];

function filledUp(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / AES_BYTES));
  const filled = new Uint8Array(blocks * AES_BYTES);
  filled.set(bytes);
  return filled;
}
