import type { Ciphers } from '#protocol/ciphers.ts';
import { signingProtection } from '#protocol/dlms/general-signing.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import { keyedProtection } from '#protocol/dlms/keyed-protection.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import type { CipheringOptions } from '#protocol/dlms/protections.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { AuthenticationPolicy } from '#protocol/dlms/security.ts';
import type { CipheringSettings } from './association-keys.ts';
import { KEY_INFO, isKeyed } from './association-keys.ts';
import type { MeterKeys } from './meter-keys.ts';

export interface CipheringParts {
  readonly ownTitle: Uint8Array;
  readonly policy: AuthenticationPolicy;
  readonly ciphers: Ciphers;
  readonly counters: InvocationCounters;
  /** New in each association, where services go under it. */
  readonly dedicated: Uint8Array | undefined;
}

/** A client's ciphering, by its settings and the keys of the meter. Errors: `bad-key`. */
export function cipheringOf(
  settings: CipheringSettings,
  keys: MeterKeys,
  parts: CipheringParts,
): Protection {
  const inner = ciphered(settings, keys, parts);
  return settings.signed ? signed(inner, keys, parts) : inner;
}

function ciphered(
  { services, level }: CipheringSettings,
  keys: MeterKeys,
  { ownTitle, policy, ciphers, counters, dedicated }: CipheringParts,
): Protection {
  const peerTitle = keys.systemTitle();
  const options: CipheringOptions = {
    suite: keys.suite,
    ownTitle,
    ...(peerTitle === undefined ? {} : { peerTitle }),
    keys: { ...keys.cipherKeys(), ...(dedicated === undefined ? {} : { dedicated }) },
    policy,
    level,
    cipher: ciphers.aesGcm,
    counters,
  };
  if (!isKeyed(services)) {
    return gloDedProtection({
      ...options,
      form: services.startsWith('general') ? 'general' : 'service-specific',
      key: dedicated === undefined ? 'unicast' : 'dedicated',
    });
  }
  const master = keys.master();
  return keyedProtection({
    ...options,
    side: 'client',
    peerTitle: present(peerTitle),
    ciphers,
    keyInfo: KEY_INFO[services],
    agreementKeys: keys.agreementKeys(),
    ...(master === undefined ? {} : { master }),
  });
}

function signed(
  inner: Protection,
  keys: MeterKeys,
  { ownTitle, policy, ciphers }: CipheringParts,
): Protection {
  const { signing, peerSigning } = keys.agreementKeys();
  return signingProtection({
    ownTitle,
    peerTitle: present(keys.systemTitle()),
    own: present(signing),
    ...(peerSigning === undefined ? {} : { peer: peerSigning }),
    policy,
    ciphers,
    inner,
  });
}

function present<Key>(key: Key | undefined): Key {
  if (key === undefined) throw new RangeError('checkKeys comes first');
  return key;
}
