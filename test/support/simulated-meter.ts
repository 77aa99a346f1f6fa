import { fromHex, toHex } from '#bytes/hex.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import type { ProfileTold } from '#protocol/cosem/read-profile.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { DlmsClientOptions } from '#protocol/dlms/client/client-options.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { LOWEST, highAuthenticator, lowAuthenticator } from '#protocol/dlms/hls.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { SecuritySuite } from '#protocol/dlms/security.ts';
import type { AssociationDescription } from '#sim/cosem/description-associations.ts';
import { USUAL_KEYS, USUAL_KEYS_2 } from '#sim/cosem/read-description.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';

export const CLIENT_TITLE = Uint8Array.from([0x4e, 0x52, 0x4d, 0x43, 0, 0, 0, 1]);

export const PORTS = { clock: machineClock, entropy: machineEntropy };

/** What the client of an association of a simulated meter has to know; `from` is its counter. */
export function securityOf(
  description: AssociationDescription,
  from: number,
): Omit<DlmsClientOptions, 'link' | 'referencing'> {
  const { encryption, authentication } = description;
  const suite = description.suite as SecuritySuite;
  let next = from;
  const counters = { next: () => next++ };
  const keys = {
    ...(encryption === undefined ? {} : { encryption: fromHex(encryption) }),
    ...(authentication === undefined ? {} : { authentication: fromHex(authentication) }),
  };
  const authenticator = authenticatorOf(description, { suite, keys, counters });
  if (encryption === undefined) return { authenticator, clientTitle: CLIENT_TITLE };
  const protection = gloDedProtection({
    suite,
    keys,
    counters,
    ownTitle: CLIENT_TITLE,
    policy: 'require',
    level: 'authenticated-and-encrypted',
    cipher: machineAesGcm,
    form: 'service-specific',
  });
  return { authenticator, protection, clientTitle: CLIENT_TITLE };
}

type Gmac = Omit<Extract<HighMechanism, { name: 'high-gmac' }>, 'name'>;

function authenticatorOf(description: AssociationDescription, gmac: Gmac): Authenticator {
  switch (description.mechanism) {
    case 'lowest':
      return LOWEST;
    case 'low':
      return lowAuthenticator(Buffer.from(description.password));
    case 'high-gmac':
      return proving({ name: 'high-gmac', ...gmac });
    case 'high-ecdsa': {
      const curve = description.suite === 2 ? 'P-384' : 'P-256';
      const usual = description.suite === 2 ? USUAL_KEYS_2 : USUAL_KEYS;
      const own = keyPairOf(curve, fromHex(usual.clientSigning));
      const peer = keyPairOf(curve, fromHex(usual.meterSigning)).publicKey;
      return proving({ name: 'high-ecdsa', own, peer });
    }
    default:
      return proving({ name: description.mechanism, secret: Buffer.from(description.password) });
  }
}

function proving(mechanism: HighMechanism): Authenticator {
  return highAuthenticator({ mechanism, clientTitle: CLIENT_TITLE, ciphers: machineCiphers });
}

/** A session with a simulated meter over a link. */
export function sessionWith(
  link: Link,
  apduLink: () => ApduLink,
  security: () => Omit<DlmsClientOptions, 'link' | 'referencing'>,
): MeterSession {
  const connect = () => new DlmsClient({ link: apduLink(), referencing: 'LN', ...security() });
  return openMeterSession({ link, connect, clock: machineClock });
}

/** The clock of each row that was told. */
export function timesIn(told: ProfileTold): readonly Uint8Array[] {
  if (told.kind !== 'rows') return [];
  const { rows } = told;
  return Array.from({ length: rows.count }, (_, index) => {
    return rows.row(index).time ?? new Uint8Array(0);
  });
}

export function tcpLink(port: number): Link {
  return openLink({ kind: 'tcp', host: '127.0.0.1', port }, PORTS);
}

type Ring = Readonly<Record<RingField, string>> & { readonly suite: 1 | 2 };
type RingField =
  | 'system-title'
  | 'encryption'
  | 'authentication'
  | 'master'
  | 'signing'
  | 'agreement'
  | 'meter-signing'
  | 'meter-agreement';

/** The keyring of client 3 (suite 1) or 4 (suite 2) of the usual meter, or a stranger's. */
export function keyringOf(suite: 1 | 2, whose: 'client' | 'stranger' = 'client'): Ring {
  const keys = suite === 2 ? USUAL_KEYS_2 : USUAL_KEYS;
  const curve = suite === 2 ? 'P-384' : 'P-256';
  const ours = whose === 'client';
  const hex = (key: string): string => (ours ? key : key.replaceAll(/../g, '5a'));
  const point = (key: string): string => toHex(keyPairOf(curve, fromHex(hex(key))).publicKey);
  return {
    suite,
    'system-title': '4e524d0000000001',
    encryption: hex(keys.encryption),
    authentication: hex(keys.authentication),
    master: hex(keys.master),
    signing: hex(keys.clientSigning),
    agreement: hex(keys.clientAgreement),
    'meter-signing': point(keys.meterSigning),
    'meter-agreement': point(keys.meterAgreement),
  };
}
