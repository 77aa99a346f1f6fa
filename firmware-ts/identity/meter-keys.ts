import type { EllipticCurve, EllipticKeyPair } from '#protocol/ciphers.ts';
import type { AgreementKeys } from '#protocol/dlms/key-agreement.ts';
import type { CipherKeys, SecuritySuite } from '#protocol/dlms/security.ts';
import { keyPairOf } from '#system/ciphers.ts';

/** What a keyring holds of a meter; all bytes are secret but the title and the peer's points. */
export interface MeterSecrets {
  readonly name: string;
  readonly suite: SecuritySuite;
  readonly systemTitle?: Uint8Array;
  readonly encryption?: Uint8Array;
  readonly authentication?: Uint8Array;
  readonly broadcast?: Uint8Array;
  /** Master key (KEK). */
  readonly master?: Uint8Array;
  /** Password (LLS), or secret of mechanisms 2, 3, 4 and 6. */
  readonly secret?: Uint8Array;
  /** Private numbers of ours. */
  readonly signing?: Uint8Array;
  readonly agreement?: Uint8Array;
  /** The meter's points. */
  readonly meterSigning?: Uint8Array;
  readonly meterAgreement?: Uint8Array;
}

const MEMBER_OF = {
  'system-title': 'systemTitle',
  encryption: 'encryption',
  authentication: 'authentication',
  master: 'master',
  secret: 'secret',
  signing: 'signing',
  agreement: 'agreement',
  'meter-signing': 'meterSigning',
  'meter-agreement': 'meterAgreement',
} as const satisfies Record<string, keyof MeterSecrets>;

/** What an association may need, by its field in the keyring. */
export type KeyField = keyof typeof MEMBER_OF;

/**
 * The keys of a meter. They are behind functions, so that no log line, JSON or inspection of the
 * object shows any.
 */
export class MeterKeys {
  readonly name: string;
  readonly suite: SecuritySuite;
  readonly #secrets: MeterSecrets;

  constructor(secrets: MeterSecrets) {
    this.name = secrets.name;
    this.suite = secrets.suite;
    this.#secrets = secrets;
  }

  /** Whether there is a key, by its field in the keyring. */
  has(field: KeyField): boolean {
    return this.#secrets[MEMBER_OF[field]] !== undefined;
  }

  systemTitle(): Uint8Array | undefined {
    return this.#secrets.systemTitle;
  }

  cipherKeys(): CipherKeys {
    const { encryption, authentication, broadcast } = this.#secrets;
    return {
      ...(encryption === undefined ? {} : { encryption }),
      ...(authentication === undefined ? {} : { authentication }),
      ...(broadcast === undefined ? {} : { broadcast }),
    };
  }

  master(): Uint8Array | undefined {
    return this.#secrets.master;
  }

  secret(): Uint8Array | undefined {
    return this.#secrets.secret;
  }

  /** Errors: `bad-key` for a number that is none of the suite's curve. */
  agreementKeys(): AgreementKeys {
    const { signing, agreement, meterSigning, meterAgreement } = this.#secrets;
    return {
      ...(signing === undefined ? {} : { signing: this.#pairOf(signing) }),
      ...(agreement === undefined ? {} : { agreement: this.#pairOf(agreement) }),
      ...(meterSigning === undefined ? {} : { peerSigning: meterSigning }),
      ...(meterAgreement === undefined ? {} : { peerAgreement: meterAgreement }),
    };
  }

  #pairOf(privateKey: Uint8Array): EllipticKeyPair {
    const curve: EllipticCurve = this.suite === 2 ? 'P-384' : 'P-256';
    return keyPairOf(curve, privateKey);
  }
}
