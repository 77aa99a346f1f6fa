import { OperatingError } from '#bytes/failure.ts';
import type { Ciphers, EllipticKeyPair } from '../ciphers.ts';
import { APDU_TAG } from './apdu-tags.ts';
import type { GeneralHeader } from './general-header.ts';
import { HEADER_FIELDS, TRANSACTION_ID_BYTES, headerBytes, headerOf } from './general-header.ts';
import { OCTET_STRING, apdu, sequence } from './layout.ts';
import { areEqual, joined } from './octets.ts';
import type { Protection, Unprotected } from './protection.ts';
import type { AuthenticationPolicy } from './security.ts';

/** General-Signing (IEC 62056-5-3, 8.4): any APDU, and the signature of who sends it. */
export interface GeneralSigning extends GeneralHeader {
  readonly content: Uint8Array;
  /** r and s. */
  readonly signature: Uint8Array;
}

export const GENERAL_SIGNING = apdu(
  APDU_TAG.generalSigning,
  sequence<GeneralSigning>({ ...HEADER_FIELDS, content: OCTET_STRING, signature: OCTET_STRING }),
);

export interface SigningOptions {
  readonly ownTitle: Uint8Array;
  readonly peerTitle: Uint8Array;
  readonly own: EllipticKeyPair;
  /** The peer's point for digital signature. */
  readonly peer?: Uint8Array;
  readonly policy: AuthenticationPolicy;
  readonly ciphers: Ciphers;
  /** What is signed: glo-ciphering, or nothing more than the APDU. */
  readonly inner: Protection;
}

/** Header, two lengths and a signature of P-384. */
const OVERHEAD_BYTES = 160;

/** An association is opened unsigned, what stands in it is signed. */
const INITIATING: readonly (number | undefined)[] = [
  APDU_TAG.initiateRequest,
  APDU_TAG.initiateResponse,
];

/** Signs what `inner` protects, and checks signatures before it opens (5.3.5.6). */
export function signingProtection(options: SigningOptions): Protection {
  const { inner } = options;
  return {
    overheadBytes: inner.overheadBytes + OVERHEAD_BYTES,
    protect: (bytes) =>
      INITIATING.includes(bytes[0]) ? inner.protect(bytes) : signed(inner.protect(bytes), options),
    unprotect: (bytes, title) =>
      bytes[0] === APDU_TAG.generalSigning
        ? checked(bytes, title, options)
        : inner.unprotect(bytes, title),
  };
}

function signed(content: Uint8Array, options: SigningOptions): Uint8Array {
  const { ciphers, own, ownTitle, peerTitle } = options;
  const header = headerOf(ciphers.randomBytes(TRANSACTION_ID_BYTES), ownTitle, peerTitle);
  const signature = ciphers.sign(own, joined(headerBytes(header), content));
  return GENERAL_SIGNING.encode({ ...header, content, signature });
}

function checked(
  bytes: Uint8Array,
  title: Uint8Array | undefined,
  options: SigningOptions,
): Unprotected {
  const { content, signature, ...header } = GENERAL_SIGNING.decode(bytes);
  if (!areEqual(header.originatorSystemTitle, options.peerTitle)) {
    throw new OperatingError('bad-system-title', 'another one than this meter signed it', {
      field: 'originator-system-title',
    });
  }
  const proven = isSigned(header, content, signature, options);
  const { apdu: plaintext, verified } = options.inner.unprotect(content, title);
  return { apdu: plaintext, verified: proven || verified };
}

/** Errors: `bad-signature`; `key-missing` under the policy `require`. */
function isSigned(
  header: GeneralHeader,
  content: Uint8Array,
  signature: Uint8Array,
  { peer, policy, ciphers, own }: SigningOptions,
): boolean {
  if (policy === 'never' || (peer === undefined && policy === 'if-key')) return false;
  if (peer === undefined) {
    throw new OperatingError('key-missing', "the meter's signing key is not known", {
      field: 'peer-signing-key',
      hint: 'put it into the keyring, or set the authentication policy to "if-key"',
    });
  }
  if (ciphers.verify(own.curve, peer, joined(headerBytes(header), content), signature)) return true;
  throw new OperatingError('bad-signature', 'the signature does not fit', {
    field: 'signature',
    hint: "compare the meter's signing key with its certificate; the message may be forged",
  });
}
