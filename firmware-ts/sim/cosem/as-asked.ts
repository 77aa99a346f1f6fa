import { OperatingError } from '#bytes/failure.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { GENERAL_SIGNING, signingProtection } from '#protocol/dlms/general-signing.ts';
import { decodeInitiateRequest } from '#protocol/dlms/initiate.ts';
import type { AgreementKeys } from '#protocol/dlms/key-agreement.ts';
import { GENERAL_CIPHERING, KEY_AGREEMENT } from '#protocol/dlms/key-info.ts';
import type { KeyedOptions } from '#protocol/dlms/keyed-protection.ts';
import { keyedProtection } from '#protocol/dlms/keyed-protection.ts';
import type { Protection, Unprotected } from '#protocol/dlms/protection.ts';
import type { CipheringOptions } from '#protocol/dlms/protections.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { CounterGate } from '#protocol/dlms/replay.ts';
import { cipheringOf } from '#protocol/dlms/service-tags.ts';

export interface AsAskedOptions extends CipheringOptions {
  readonly ciphers: Ciphers;
  /** They outlive the protection, which is another one for each form. */
  readonly replays: CounterGate;
  readonly master?: Uint8Array;
  readonly agreementKeys: AgreementKeys;
}

/** How an APDU is ciphered, and whether it is signed around that. */
interface Form {
  readonly ciphering: 'glo' | 'ded' | 'general-glo' | 'general-ded' | KeyedOptions['keyInfo'];
  readonly signed: boolean;
}

const GLO: Form = { ciphering: 'glo', signed: false };

/** A meter's protection, which answers in the form in which it was asked. */
export class AsAsked implements Protection {
  readonly #options: AsAskedOptions;
  #peerTitle: Uint8Array | undefined;
  #dedicated: Uint8Array | undefined;
  #current: Protection;

  constructor(options: AsAskedOptions) {
    this.#options = options;
    this.#peerTitle = options.peerTitle;
    this.#current = this.#protectionFor(GLO);
  }

  get overheadBytes(): number {
    return OVERHEAD_BYTES;
  }

  protect(apdu: Uint8Array): Uint8Array {
    return this.#current.protect(apdu);
  }

  /** With a title it begins anew: it is that of an AARQ. */
  unprotect(apdu: Uint8Array, title?: Uint8Array): Unprotected {
    if (title !== undefined) {
      this.#peerTitle = title;
      this.#dedicated = undefined;
    }
    const protection = this.#protectionFor(formOf(apdu));
    const opened = protection.unprotect(apdu, title);
    if (opened.apdu[0] === APDU_TAG.initiateRequest) {
      this.#dedicated = decodeInitiateRequest(opened.apdu).dedicatedKey;
    }
    this.#current = protection;
    return opened;
  }

  #protectionFor({ ciphering, signed }: Form): Protection {
    const inner = this.#ciphered(ciphering);
    return signed ? this.#signing(inner) : inner;
  }

  #ciphered(ciphering: Form['ciphering']): Protection {
    const options = { ...this.#options, ...this.#peer() };
    switch (ciphering) {
      case 'glo':
      case 'general-glo':
        return gloDedProtection({ ...options, form: formNamed(ciphering), key: 'unicast' });
      case 'ded':
      case 'general-ded': {
        const dedicated = this.#dedicated === undefined ? {} : { dedicated: this.#dedicated };
        const keys = { ...options.keys, ...dedicated };
        return gloDedProtection({ ...options, keys, form: formNamed(ciphering), key: 'dedicated' });
      }
      default:
        return keyedProtection({
          ...options,
          side: 'server',
          peerTitle: this.#client(),
          keyInfo: ciphering,
        });
    }
  }

  #signing(inner: Protection): Protection {
    const { ownTitle, agreementKeys, policy, ciphers } = this.#options;
    const { signing: own, peerSigning: peer } = agreementKeys;
    if (own === undefined) throw missing('signing-key');
    const peerTitle = this.#client();
    const known = peer === undefined ? {} : { peer };
    return signingProtection({ ownTitle, peerTitle, own, ...known, policy, ciphers, inner });
  }

  #peer(): { readonly peerTitle?: Uint8Array } {
    return this.#peerTitle === undefined ? {} : { peerTitle: this.#peerTitle };
  }

  #client(): Uint8Array {
    if (this.#peerTitle !== undefined) return this.#peerTitle;
    throw new OperatingError('bad-system-title', 'the client has said no title', {
      field: 'calling-ap-title',
    });
  }
}

/** Of a signed APDU under an agreed key. */
const OVERHEAD_BYTES = 460;

function formNamed(ciphering: 'glo' | 'ded' | 'general-glo' | 'general-ded') {
  return ciphering.startsWith('general') ? ('general' as const) : ('service-specific' as const);
}

/** Errors: those of the decoders. */
function formOf(apdu: Uint8Array): Form {
  if (apdu[0] !== APDU_TAG.generalSigning) return { ciphering: formIn(apdu), signed: false };
  return { ciphering: formIn(GENERAL_SIGNING.decode(apdu).content), signed: true };
}

/** What comes in clear is answered under the global key, if it is answered. */
function formIn(apdu: Uint8Array): Form['ciphering'] {
  const [tag = 0] = apdu;
  switch (tag) {
    case APDU_TAG.generalGloCiphering:
      return 'general-glo';
    case APDU_TAG.generalDedCiphering:
      return 'general-ded';
    case APDU_TAG.generalCiphering:
      return keyInfoIn(apdu);
    default:
      return cipheringOf(tag) === 'dedicated' ? 'ded' : 'glo';
  }
}

function keyInfoIn(apdu: Uint8Array): KeyedOptions['keyInfo'] {
  const { keyInfo } = GENERAL_CIPHERING.decode(apdu);
  switch (keyInfo?.kind) {
    case undefined:
    case 'identified-key':
      return 'unicast'; // a broadcast is not answered
    case 'wrapped-key':
      return 'wrapped';
    case 'agreed-key':
      return keyInfo.keyParameters[0] === KEY_AGREEMENT.onePass ? 'one-pass' : 'static-unified';
  }
}

function missing(field: string): OperatingError {
  return new OperatingError('key-missing', `no ${field.replace('-', ' ')}`, { field });
}
