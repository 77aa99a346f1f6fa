import type { Ciphers } from '#protocol/ciphers.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { serverAuthenticator } from '#protocol/dlms/hls.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import type { CipheringOptions } from '#protocol/dlms/protections.ts';
import { ReplayGuard } from '#protocol/dlms/replay.ts';
import type { CipherKeys, SecuritySuite } from '#protocol/dlms/security.ts';
import type { DlmsServerOptions } from '#protocol/dlms/server/server.ts';
import { AsAsked } from '#sim/cosem/as-asked.ts';

/** What a simulated meter wants of one client. */
export interface SimulatedAssociation {
  readonly mechanism: MechanismName;
  /** Password (low), or secret of mechanisms 2, 3, 4 and 6. */
  readonly secret?: Uint8Array;
  /** Of mechanism 7. */
  readonly signatures?: Pick<Extract<HighMechanism, { name: 'high-ecdsa' }>, 'own' | 'peer'>;
  /** Set for a ciphered context; it answers in the form in which it is asked. */
  readonly ciphering?: Pick<CipheringOptions, 'level'>;
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
      : new AsAsked({
          level: ciphering.level,
          ciphers: security.ciphers,
          replays: new ReplayGuard(),
          agreementKeys: {},
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
