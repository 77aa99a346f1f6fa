import type { Ciphers } from '#protocol/ciphers.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { serverAuthenticator } from '#protocol/dlms/hls.ts';
import { decodeInitiateRequest } from '#protocol/dlms/initiate.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator, Protection } from '#protocol/dlms/protection.ts';
import type { GloDedOptions } from '#protocol/dlms/protections.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { CipherKeys, SecuritySuite } from '#protocol/dlms/security.ts';
import type { DlmsServerOptions } from '#protocol/dlms/server/server.ts';

/** What a simulated meter wants of one client. */
export interface SimulatedAssociation {
  readonly mechanism: MechanismName;
  /** Password (low), or secret of mechanisms 2, 3, 4 and 6. */
  readonly secret?: Uint8Array;
  /** Of mechanism 7. */
  readonly signatures?: Pick<Extract<HighMechanism, { name: 'high-ecdsa' }>, 'own' | 'peer'>;
  /** Set for a ciphered context. */
  readonly ciphering?: Pick<GloDedOptions, 'level' | 'form'>;
  /** Stands without being asked for, for this client's title. */
  readonly preEstablishedFor?: Uint8Array;
}

export interface SimulatedSecurity {
  readonly suite: SecuritySuite;
  readonly serverTitle: Uint8Array;
  readonly keys: CipherKeys;
  readonly ciphers: Ciphers;
}

/** The server's options for one connection of one client. */
export function securedServer(
  association: SimulatedAssociation,
  security: SimulatedSecurity,
): Omit<DlmsServerOptions, 'link' | 'objects'> {
  const { mechanism, secret, ciphering, preEstablishedFor: peerTitle } = association;
  const { serverTitle } = security;
  const counters = new InvocationCounter();
  counters.grant(SERVER_COUNTERS);
  const protection =
    ciphering === undefined
      ? undefined
      : new LearningProtection({
          ...ciphering,
          ...(peerTitle === undefined ? {} : { peerTitle }),
          suite: security.suite,
          ownTitle: serverTitle,
          keys: security.keys,
          policy: 'if-key',
          cipher: security.ciphers.aesGcm,
          counters,
        });
  const authenticatorFor = authenticatorOf(association, security, counters);
  return {
    mechanismName: MECHANISM[mechanism],
    serverTitle,
    ...(secret === undefined ? {} : { secret }),
    ...(authenticatorFor === undefined ? {} : { authenticatorFor }),
    ...(protection === undefined ? {} : { protection }),
  };
}

/** A meter has years of them, and a simulated one begins anew with each connection. */
const SERVER_COUNTERS = { from: 1, until: 1_000_000 };

/** Takes the dedicated key over from the InitiateRequest, and answers under it from then on. */
class LearningProtection implements Protection {
  readonly #options: GloDedOptions;
  #inner: Protection;

  constructor(options: GloDedOptions) {
    this.#options = options;
    this.#inner = gloDedProtection(options);
  }

  get overheadBytes(): number {
    return this.#inner.overheadBytes;
  }

  protect(apdu: Uint8Array): Uint8Array {
    return this.#inner.protect(apdu);
  }

  unprotect(apdu: Uint8Array, title?: Uint8Array) {
    const opened = this.#inner.unprotect(apdu, title);
    if (opened.apdu[0] === APDU_TAG.initiateRequest) this.#learn(opened.apdu, title);
    return opened;
  }

  #learn(initiate: Uint8Array, peerTitle: Uint8Array | undefined): void {
    const { dedicatedKey } = decodeInitiateRequest(initiate);
    if (dedicatedKey === undefined) return;
    const keys = { ...this.#options.keys, dedicated: dedicatedKey };
    const peer = peerTitle === undefined ? {} : { peerTitle };
    this.#inner = gloDedProtection({ ...this.#options, ...peer, keys, key: 'dedicated' });
  }
}

function authenticatorOf(
  { mechanism, secret = new Uint8Array(0), signatures }: SimulatedAssociation,
  { suite, keys, serverTitle, ciphers }: SimulatedSecurity,
  counters: InvocationCounter,
): (() => Authenticator) | undefined {
  if (mechanism === 'lowest' || mechanism === 'low') return undefined;
  const highMechanism = (): HighMechanism => {
    if (mechanism === 'high-gmac') return { name: mechanism, suite, keys, counters };
    if (mechanism !== 'high-ecdsa') return { name: mechanism, secret };
    if (signatures === undefined) throw new RangeError('mechanism 7 needs a pair');
    return { name: mechanism, ...signatures };
  };
  return () => serverAuthenticator({ mechanism: highMechanism(), serverTitle, ciphers });
}
