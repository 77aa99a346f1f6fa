import { fromHex } from '#bytes/hex.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { EllipticKeyPair } from '#protocol/ciphers.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { serverAuthenticator } from '#protocol/dlms/hls.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { AgreementKeys } from '#protocol/dlms/key-agreement.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { CipherKeys, SecuritySuite } from '#protocol/dlms/security.ts';
import type { DlmsServerOptions } from '#protocol/dlms/server/server.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import type { ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { AssociationDescription } from './description-associations.ts';
import { AsAsked } from './as-asked.ts';
import { ReceivedCounters } from './received-counters.ts';

export interface AssociationParts {
  readonly description: AssociationDescription;
  readonly serverTitle: Uint8Array;
  /** Of what the meter sends; all its associations share it. */
  readonly counters: InvocationCounters;
  /** See `ReceivedCounters`. */
  readonly counterLeap: number;
}

/** What a meter lets one client do: its keys may change while it lives. */
export class MeterAssociation {
  readonly client: number;
  readonly mayChange: boolean;
  readonly suite: SecuritySuite;
  readonly received: ReceivedCounters;
  keys: CipherKeys;
  readonly #parts: AssociationParts;
  readonly #agreementKeys: AgreementKeys;

  constructor(parts: AssociationParts) {
    const { client, rights, suite, encryption, authentication } = parts.description;
    this.client = client;
    this.mayChange = rights === 'all';
    this.suite = suite as SecuritySuite;
    this.#agreementKeys = agreementKeysOf(parts.description);
    this.received = new ReceivedCounters(parts.counterLeap);
    this.keys = {
      ...(encryption === undefined ? {} : { encryption: fromHex(encryption) }),
      ...(authentication === undefined ? {} : { authentication: fromHex(authentication) }),
    };
    this.#parts = parts;
  }

  /** Its services are ciphered. */
  get ciphered(): boolean {
    return this.keys.encryption !== undefined;
  }

  master(): Uint8Array | undefined {
    const { master } = this.#parts.description;
    return master === undefined ? undefined : fromHex(master);
  }

  /** From the next association on; its counters then begin anew. */
  changeKey(name: keyof CipherKeys, key: Uint8Array): void {
    this.keys = { ...this.keys, [name]: key };
    if (name === 'encryption') this.received.forget();
  }

  /** What this client is told unasked: no service-specific form has a data-notification. */
  sealed(apdu: Uint8Array): Uint8Array {
    if (!this.ciphered) return apdu;
    return gloDedProtection({ ...this.#cipheringOptions(), form: 'general' }).protect(apdu);
  }

  /** A server for one connection. */
  serve(link: ApduLink, objects: ServerObjects): DlmsServer {
    const { description, serverTitle } = this.#parts;
    return new DlmsServer({
      link,
      objects,
      mechanismName: MECHANISM[description.mechanism],
      ...(this.#proving() ?? {}),
      ...(description.mechanism === 'lowest' ? {} : { serverTitle }),
      ...(this.ciphered ? { protection: renewed(() => this.#protection()) } : {}),
      counterWanted: () => this.received.wanted,
    });
  }

  #proving(): Partial<DlmsServerOptions> | undefined {
    const { description, serverTitle } = this.#parts;
    const { mechanism } = description;
    if (mechanism === 'lowest') return undefined;
    if (mechanism === 'low') return { secret: Buffer.from(description.password, 'latin1') };
    const authenticatorFor = () =>
      serverAuthenticator({
        mechanism: this.#mechanism(description),
        serverTitle,
        ciphers: machineCiphers,
      });
    return { authenticatorFor };
  }

  #mechanism(
    description: Exclude<AssociationDescription, { mechanism: 'lowest' | 'low' }>,
  ): HighMechanism {
    const { keys, suite } = this;
    switch (description.mechanism) {
      case 'high-gmac':
        return { name: 'high-gmac', suite, keys, counters: this.#parts.counters };
      case 'high-ecdsa': {
        const { signing: own, peerSigning: peer } = this.#agreementKeys;
        if (own === undefined || peer === undefined) throw new RangeError('the schema wants both');
        return { name: 'high-ecdsa', own, peer };
      }
      default: {
        const secret = Buffer.from(description.password, 'latin1');
        return { name: description.mechanism, secret };
      }
    }
  }

  #protection(): AsAsked {
    const master = this.master();
    return new AsAsked({
      ...this.#cipheringOptions(),
      ciphers: machineCiphers,
      agreementKeys: this.#agreementKeys,
      ...(master === undefined ? {} : { master }),
    });
  }

  #cipheringOptions() {
    const { serverTitle, counters } = this.#parts;
    const sealing = this.keys.authentication !== undefined;
    return {
      suite: this.suite,
      ownTitle: serverTitle,
      keys: this.keys,
      policy: sealing ? 'require' : 'if-key',
      level: sealing ? 'authenticated-and-encrypted' : 'encrypted',
      cipher: machineAesGcm,
      counters,
      replays: this.received,
    } as const;
  }
}

function agreementKeysOf(description: AssociationDescription): AgreementKeys {
  const { suite, signing, agreement, clientSigning, clientAgreement } = description;
  const pairOf = (hex: string): EllipticKeyPair =>
    keyPairOf(suite === 2 ? 'P-384' : 'P-256', fromHex(hex));
  return {
    ...(signing === undefined ? {} : { signing: pairOf(signing) }),
    ...(agreement === undefined ? {} : { agreement: pairOf(agreement) }),
    ...(clientSigning === undefined ? {} : { peerSigning: fromHex(clientSigning) }),
    ...(clientAgreement === undefined ? {} : { peerAgreement: fromHex(clientAgreement) }),
  };
}

/** Begins anew with each AARQ, which brings a title: the keys may be others than before. */
function renewed(make: () => Protection): Protection {
  let current = make();
  return {
    overheadBytes: current.overheadBytes,
    protect: (apdu) => current.protect(apdu),
    unprotect(apdu, title) {
      if (title !== undefined) current = make();
      return current.unprotect(apdu, title);
    },
  };
}
