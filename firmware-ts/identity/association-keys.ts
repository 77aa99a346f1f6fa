import { OperatingError } from '#bytes/failure.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import type { AuthenticationPolicy } from '#protocol/dlms/security.ts';
import type { KeyField, MeterKeys } from './meter-keys.ts';

/**
 * How services are ciphered: under which key, and in which form (IEC 62056-5-3, 5.3.5). In
 * general-ciphering each APDU names its key, wraps a new one, or brings what both work it out from.
 */
export const SERVICE_FORMS = [
  'glo',
  'ded',
  'general-glo',
  'general-ded',
  'identified-key',
  'wrapped-key',
  'one-pass',
  'static-unified',
] as const;
export const PROTECTION_LEVELS = [
  'authenticated',
  'encrypted',
  'authenticated-and-encrypted',
] as const;

export interface CipheringSettings {
  readonly services: (typeof SERVICE_FORMS)[number];
  readonly level: (typeof PROTECTION_LEVELS)[number];
  /** Each service is signed around its ciphering (general-signing). */
  readonly signed: boolean;
}

type ServiceForm = CipheringSettings['services'];

/** The forms of general-ciphering, and how they name the key. */
export const KEY_INFO = {
  'identified-key': 'unicast',
  'wrapped-key': 'wrapped',
  'one-pass': 'one-pass',
  'static-unified': 'static-unified',
} as const satisfies Partial<Record<ServiceForm, string>>;

export function isKeyed(services: ServiceForm): services is keyof typeof KEY_INFO {
  return Object.hasOwn(KEY_INFO, services);
}

/** What a client proposes to a meter, in words; keys come from the keyring. */
export interface AssociationSettings {
  readonly referencing: 'LN' | 'SN';
  readonly mechanism: MechanismName;
  /** Absent: in clear. */
  readonly ciphering?: CipheringSettings;
  /** What is taken of what comes in. */
  readonly authentication: AuthenticationPolicy;
  /** Stands without being asked for (IEC 62056-5-3, 6.2.4). */
  readonly preEstablished: boolean;
}

/** The public client: everybody, who sees next to nothing. */
export const PUBLIC: AssociationSettings = {
  referencing: 'LN',
  mechanism: 'lowest',
  authentication: 'if-key',
  preEstablished: false,
};

/** Whether anything is sent under an invocation counter. */
export function usesCounter({ mechanism, ciphering }: AssociationSettings): boolean {
  return ciphering !== undefined || mechanism === 'high-gmac';
}

const MECHANISM_KEYS: Readonly<Record<MechanismName, readonly KeyField[]>> = {
  lowest: [],
  low: ['secret'],
  high: ['secret'],
  'high-md5': ['secret'],
  'high-sha1': ['secret'],
  'high-gmac': ['encryption', 'authentication'],
  'high-sha256': ['secret'],
  'high-ecdsa': ['signing', 'meter-signing'],
};

/** Each direction of one-pass takes the signature of one side and the agreement of the other. */
const KEYED_KEYS: Readonly<Record<keyof typeof KEY_INFO, readonly KeyField[]>> = {
  'identified-key': ['system-title'],
  'wrapped-key': ['system-title', 'master'],
  'one-pass': ['system-title', 'signing', 'agreement', 'meter-signing', 'meter-agreement'],
  'static-unified': ['system-title', 'agreement', 'meter-agreement'],
};

function cipheringKeys(
  { services, level, signed }: CipheringSettings,
  policy: AuthenticationPolicy,
): readonly KeyField[] {
  const checked = policy === 'require';
  return [
    'encryption',
    ...(level !== 'encrypted' || checked ? ['authentication' as const] : []),
    ...(isKeyed(services) ? KEYED_KEYS[services] : []),
    ...(signed ? (['system-title', 'signing'] as const) : []),
    ...(signed && checked ? ['meter-signing' as const] : []),
  ];
}

/** The fields of the keyring that an association needs and that are not there. */
export function missingKeys(
  { mechanism, ciphering, authentication, preEstablished }: AssociationSettings,
  keys: MeterKeys | undefined,
): readonly string[] {
  const wanted = new Set<KeyField>([
    ...(preEstablished ? [] : MECHANISM_KEYS[mechanism]),
    ...(ciphering === undefined ? [] : cipheringKeys(ciphering, authentication)),
  ]);
  return [...wanted].filter((field) => keys?.has(field) !== true);
}

/** Errors: `key-missing`, which names the fields of the keyring. */
export function checkKeys(settings: AssociationSettings, keys: MeterKeys | undefined): void {
  const missing = missingKeys(settings, keys);
  if (missing.length === 0) return;
  const fields = missing.join(' and ');
  throw new OperatingError('key-missing', `the keyring has no ${fields} of this meter`, {
    field: missing[0] ?? '',
    hint: `add ${fields} below the name of the meter in the keyring`,
  });
}
