import { OperatingError } from '#bytes/failure.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import type { AuthenticationPolicy } from '#protocol/dlms/security.ts';
import type { MeterKeys } from './meter-keys.ts';

/** How services are ciphered: under which key, and in which form (IEC 62056-5-3, 5.3.5). */
export const SERVICE_FORMS = ['glo', 'ded', 'general-glo', 'general-ded'] as const;
export const PROTECTION_LEVELS = [
  'authenticated',
  'encrypted',
  'authenticated-and-encrypted',
] as const;

export interface CipheringSettings {
  readonly services: (typeof SERVICE_FORMS)[number];
  readonly level: (typeof PROTECTION_LEVELS)[number];
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

type Field = 'encryption' | 'authentication' | 'secret' | 'signing' | 'meter-signing';

const MECHANISM_KEYS: Readonly<Record<MechanismName, readonly Field[]>> = {
  lowest: [],
  low: ['secret'],
  high: ['secret'],
  'high-md5': ['secret'],
  'high-sha1': ['secret'],
  'high-gmac': ['encryption', 'authentication'],
  'high-sha256': ['secret'],
  'high-ecdsa': ['signing', 'meter-signing'],
};

/** The fields of the keyring that an association needs and that are not there. */
export function missingKeys(
  { mechanism, ciphering, authentication, preEstablished }: AssociationSettings,
  keys: MeterKeys | undefined,
): readonly string[] {
  const seals = ciphering !== undefined && ciphering.level !== 'encrypted';
  const checks = ciphering !== undefined && authentication === 'require';
  const wanted = new Set<Field>([
    ...(preEstablished ? [] : MECHANISM_KEYS[mechanism]),
    ...(ciphering === undefined ? [] : ['encryption' as const]),
    ...(seals || checks ? ['authentication' as const] : []),
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
