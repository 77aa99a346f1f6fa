import { OperatingError } from '#bytes/failure.ts';
import type { AesGcm } from '../aead.ts';
import { APDU_TAG } from './apdu-tags.ts';
import { encipher } from './ciphering.ts';
import {
  decodeGeneralCiphering,
  decodeServiceCiphering,
  encodeGeneralCiphering,
  encodeServiceCiphering,
} from './general-ciphering.ts';
import type { InvocationCounters } from './invocation-counter.ts';
import { areEqual } from './octets.ts';
import { Opener } from './opener.ts';
import type { Protection, Unprotected } from './protection.ts';
import type { CounterGate } from './replay.ts';
import type { AuthenticationPolicy, CipherKeys, SecuritySuite } from './security.ts';
import { isUnverifiedInClear } from './security.ts';
import { cipheredTags, cipheringOf, isRefusal, looksLikeService } from './service-tags.ts';

export interface CipheringOptions {
  readonly suite: SecuritySuite;
  /** System title of this side. */
  readonly ownTitle: Uint8Array;
  /** Where it is known in advance; else the peer says it when it answers. */
  readonly peerTitle?: Uint8Array;
  readonly keys: CipherKeys;
  readonly policy: AuthenticationPolicy;
  /** What is done to what goes out; the policy says what must have been done to what comes in. */
  readonly level: 'authenticated' | 'encrypted' | 'authenticated-and-encrypted';
  readonly cipher: AesGcm;
  readonly counters: InvocationCounters;
  /** Of what comes in, where counters are remembered for longer than this association. */
  readonly replays?: CounterGate;
}

export interface GloDedOptions extends CipheringOptions {
  /** Service-specific tags name no title; the general form does, and protects every service. */
  readonly form: 'service-specific' | 'general';
  /** Which key seals services: `dedicated` once it was handed over with the InitiateRequest. */
  readonly key?: 'unicast' | 'broadcast' | 'dedicated';
}

/**
 * Protects under the keys that both sides have: glo- and ded-ciphering, service-specific and
 * general (IEC 62056-5-3, 5.3.5). The same for both sides. An InitiateRequest, its answer and the
 * proof go under the global key always; ACCESS and data-notification in the general form always.
 */
export function gloDedProtection(options: GloDedOptions): Protection {
  const envelopes = new Envelopes(options);
  return {
    overheadBytes: options.form === 'general' ? GENERAL_OVERHEAD_BYTES : OVERHEAD_BYTES,
    protect: (apdu) => sealed(apdu, options),
    unprotect: (apdu, title) => envelopes.unprotect(apdu, title),
  };
}

/** Tag, length of five bytes at most, security control, invocation counter, tag. */
const OVERHEAD_BYTES = 1 + 5 + 1 + 4 + 12;
/** And a title with its length. */
const GENERAL_OVERHEAD_BYTES = OVERHEAD_BYTES + 9;

const INITIATING: readonly (number | undefined)[] = [
  APDU_TAG.initiateRequest,
  APDU_TAG.initiateResponse,
];

function sealed(apdu: Uint8Array, options: GloDedOptions): Uint8Array {
  const initiating = INITIATING.includes(apdu[0]);
  const global = initiating || isProof(apdu);
  const key = global ? 'unicast' : (options.key ?? 'unicast');
  const dedicated = key === 'dedicated';
  const content = encipher(apdu, {
    ...options,
    systemTitle: options.ownTitle,
    securityControl: { ...controlOf(options), broadcastKey: key === 'broadcast' },
    invocationCounter: options.counters.next(),
    dedicated,
  });
  const tags = cipheredTags(apdu[0] ?? 0);
  const tag = dedicated ? tags?.dedicated : tags?.global;
  if (tag !== undefined && (initiating || options.form === 'service-specific')) {
    return encodeServiceCiphering({ tag, content });
  }
  const kind = dedicated ? 'general-ded-ciphering' : 'general-glo-ciphering';
  return encodeGeneralCiphering({ kind, systemTitle: options.ownTitle, content });
}

/** ACTION normal of reply_to_HLS_authentication: class 15, method 1 (IEC 62056-6-2, 4.4.4). */
const PROOF = { form: 1, classId: 15, methodId: 1, methodAt: 11 } as const;

/**
 * The association is not whole before the proof, and meters are known (Gurux) that take it under
 * the global key only.
 */
function isProof(apdu: Uint8Array): boolean {
  const [tag, form, , high, low] = apdu;
  if (tag !== APDU_TAG.actionRequest || form !== PROOF.form) return false;
  return high === 0 && low === PROOF.classId && apdu[PROOF.methodAt] === PROOF.methodId;
}

/** The security control byte of what goes out, under the unicast key. */
export function controlOf({ suite, level }: Pick<CipheringOptions, 'suite' | 'level'>) {
  return {
    suite,
    authenticated: level !== 'encrypted',
    encrypted: level !== 'authenticated',
    broadcastKey: false,
    compressed: false,
  };
}

const GENERAL: readonly (number | undefined)[] = [
  APDU_TAG.generalGloCiphering,
  APDU_TAG.generalDedCiphering,
];

/** Opens whatever form of glo- and ded-ciphering the peer chooses. */
class Envelopes {
  readonly #options: CipheringOptions;
  readonly #opener: Opener;
  #peerTitle: Uint8Array;

  constructor(options: CipheringOptions) {
    this.#options = options;
    this.#opener = new Opener({ ...options, plausible: looksLikeService });
    this.#peerTitle = options.peerTitle ?? new Uint8Array(0);
  }

  unprotect(apdu: Uint8Array, title = this.#peerTitle): Unprotected {
    if (areEqual(title, this.#options.ownTitle)) throw foreign('it has our own system title');
    this.#peerTitle = title;
    const opened = this.#opened(apdu);
    if (opened !== undefined) return { apdu: opened.plaintext, verified: opened.verified };
    if (!isRefusal(apdu)) isUnverifiedInClear(this.#options.keys, this.#options.policy);
    return { apdu, verified: false };
  }

  /** `undefined` where it came in clear. */
  #opened(apdu: Uint8Array): ReturnType<Opener['open']> | undefined {
    if (GENERAL.includes(apdu[0])) return this.#openedGeneral(apdu);
    const ciphering = cipheringOf(apdu[0] ?? 0);
    if (ciphering === undefined) return undefined;
    const { content } = decodeServiceCiphering(apdu);
    const dedicated = ciphering === 'dedicated';
    return this.#opener.openContent({ systemTitle: this.#peerTitle, content, dedicated });
  }

  #openedGeneral(apdu: Uint8Array): ReturnType<Opener['open']> {
    const { systemTitle } = decodeGeneralCiphering(apdu);
    const { ownTitle } = this.#options;
    if (areEqual(systemTitle, ownTitle)) throw foreign('it is what we sent, or has our own title');
    const known = this.#peerTitle.length > 0;
    if (known && !areEqual(systemTitle, this.#peerTitle)) throw foreign('another title sent it');
    const opened = this.#opener.open(apdu);
    if (opened.verified) this.#peerTitle = systemTitle.slice();
    return opened;
  }
}

/** Under one key the title tells the senders apart, and keeps their counters apart. */
function foreign(what: string): OperatingError {
  return new OperatingError('bad-system-title', what, {
    field: 'system-title',
    hint: 'give each side a system title of its own, and look who else is on this line',
  });
}
