import { createHash } from 'node:crypto';
import type { Ciphers } from '#protocol/ciphers.ts';
import { LN_CONFORMANCE } from '#protocol/dlms/client/association.ts';
import type { DlmsClientOptions } from '#protocol/dlms/client/client-options.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { LOWEST, highAuthenticator, lowAuthenticator } from '#protocol/dlms/hls.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import { joined } from '#protocol/dlms/octets.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import { isUnverifiedInClear } from '#protocol/dlms/security.ts';
import { WatchedProtection } from '#protocol/dlms/watched-protection.ts';
import type { AssociationSettings, CipheringSettings } from './association-keys.ts';
import { usesCounter } from './association-keys.ts';
import { cipheringOf } from './ciphering.ts';
import { MeterKeys } from './meter-keys.ts';
import type { ReservedCounter } from './reserved-counter.ts';

export interface MeterAssociationOptions {
  readonly settings: AssociationSettings;
  /** All that `missingKeys` asks for. */
  readonly keys?: MeterKeys;
  readonly clientTitle: Uint8Array;
  /** Where `usesCounter`. */
  readonly counter?: ReservedCounter;
  readonly ciphers: Ciphers;
}

export type ClientSecurity = Omit<DlmsClientOptions, 'link'>;

/** What one session with a meter is secured by, and what was seen of it. */
export class MeterAssociation {
  readonly #options: MeterAssociationOptions;
  #watch: WatchedProtection | undefined;
  #unverified: boolean;

  /** Errors: `not-authenticated` where it is in clear and the policy takes nothing in clear. */
  constructor(options: MeterAssociationOptions) {
    this.#options = options;
    const { keys, settings } = options;
    const inClear = settings.ciphering === undefined;
    const known = keys?.cipherKeys() ?? {};
    this.#unverified = inClear && isUnverifiedInClear(known, settings.authentication);
  }

  /** Invocation counters for one request more. Errors: those of `ReservedCounter.provide`. */
  async provide(): Promise<void> {
    await this.#options.counter?.provide();
  }

  /**
   * Whether anything that came since the session began was not proven to be the meter's, although
   * it has keys or was ciphered: the mark of every reading from then on.
   */
  get unverified(): boolean {
    return this.#unverified || this.#watch?.unverified === true;
  }

  /** What the meter wants the counter to be at least, where it refused one and said so. */
  get counterWanted(): number | undefined {
    return this.#watch?.counterWanted;
  }

  /**
   * Of a client for one stream: a new challenge, and a new dedicated key. Errors: `bad-key`,
   * `bad-system-title`.
   */
  secured(): ClientSecurity {
    const { settings, clientTitle, keys, ciphers } = this.#options;
    this.#unverified = this.unverified; // what an earlier stream brought is not forgotten
    const serverTitle = keys?.systemTitle();
    const dedicated = isDedicated(settings.ciphering) ? newKey(keys, ciphers) : undefined;
    const protection = this.#protection(dedicated);
    return {
      referencing: settings.referencing,
      authenticator: this.#authenticator(),
      ...(saysTitle(settings) ? { clientTitle } : {}),
      ...(serverTitle === undefined ? {} : { serverTitle }),
      ...(dedicated === undefined ? {} : { dedicatedKey: dedicated }),
      ...(protection === undefined ? {} : { protection }),
      ...(isGeneral(settings) ? { proposedConformance: GENERAL_PROTECTION } : {}),
      ...(settings.preEstablished ? { preEstablished: preEstablished(settings, serverTitle) } : {}),
    };
  }

  #protection(dedicated: Uint8Array | undefined): WatchedProtection | undefined {
    const { settings, keys, clientTitle, ciphers, counter } = this.#options;
    const { ciphering, authentication: policy } = settings;
    if (ciphering === undefined || keys === undefined || counter === undefined) return undefined;
    const common = { ownTitle: clientTitle, policy, ciphers, counters: counter };
    this.#watch = new WatchedProtection(cipheringOf(ciphering, keys, { ...common, dedicated }));
    return this.#watch;
  }

  #authenticator(): Authenticator {
    const { settings, keys = NO_KEYS, clientTitle, counter, ciphers } = this.#options;
    if (settings.mechanism === 'lowest' || settings.preEstablished) return LOWEST;
    if (settings.mechanism === 'low') return lowAuthenticator(keys.secret() ?? NOTHING);
    const mechanism = highMechanismOf(settings.mechanism, keys, counter ?? NO_COUNTERS);
    return highAuthenticator({ mechanism, clientTitle, ciphers });
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);
const NO_KEYS = new MeterKeys({ name: '', suite: 0 });
const NO_COUNTERS: InvocationCounters = {
  next: () => {
    throw new RangeError('a counter is given where one is used');
  },
};

/** Errors: `bad-key`. */
export function highMechanismOf(
  name: HighMechanism['name'],
  keys: MeterKeys,
  counters: InvocationCounters,
): HighMechanism {
  switch (name) {
    case 'high-gmac':
      return { name, suite: keys.suite, keys: keys.cipherKeys(), counters };
    case 'high-ecdsa': {
      const { signing, peerSigning } = keys.agreementKeys();
      if (signing === undefined || peerSigning === undefined) throw new RangeError('no pair');
      return { name, own: signing, peer: peerSigning };
    }
    default:
      return { name, secret: keys.secret() ?? NOTHING };
  }
}

function isDedicated(ciphering: CipheringSettings | undefined): boolean {
  return ciphering?.services === 'ded' || ciphering?.services === 'general-ded';
}

const GENERAL_PROTECTION = [...LN_CONFORMANCE, 'generalProtection'] as const;

/** Strict meters want it agreed on before they take the general forms (IEC 62056-5-3, 7.3.1). */
function isGeneral({ referencing, ciphering }: AssociationSettings): boolean {
  if (ciphering === undefined || referencing === 'SN') return false;
  return ciphering.signed || (ciphering.services !== 'glo' && ciphering.services !== 'ded');
}

function newKey(keys: MeterKeys | undefined, ciphers: Ciphers): CipherKeys['dedicated'] {
  return ciphers.randomBytes(keys?.suite === 2 ? 32 : 16);
}

/** Old meters know no title; who proves or ciphers with one has to say it. */
function saysTitle(settings: AssociationSettings): boolean {
  const { mechanism } = settings;
  return usesCounter(settings) || mechanism === 'high-sha256' || mechanism === 'high-ecdsa';
}

/** What nobody negotiated: services that every meter has, with no limit of its own. */
function preEstablished(
  { referencing }: AssociationSettings,
  serverTitle: Uint8Array | undefined,
): NonNullable<DlmsClientOptions['preEstablished']> {
  return {
    referencing,
    conformance: new Set(
      referencing === 'LN'
        ? ['get', 'set', 'action', 'selectiveAccess', 'blockTransferWithGetOrRead']
        : ['read', 'write', 'parameterizedAccess'],
    ),
    serverMaxReceivePduSize: 0,
    ...(serverTitle === undefined ? {} : { serverTitle }),
    vaaName: referencing === 'LN' ? VAA_NAME_LN : VAA_NAME_SN,
  };
}

const VAA_NAME_LN = 7;
const VAA_NAME_SN = 0xfa00;

/**
 * The system title of a client that was given none: its own for each gateway and each tool, as two
 * that share one under one key would use the same nonces. `NRM`, then five bytes of a digest.
 */
export function clientTitleOf(program: string, name: string): Uint8Array {
  const digest = createHash('sha256').update(`${program} ${name}`).digest();
  return joined(new TextEncoder().encode('NRM'), digest.subarray(0, 5));
}
