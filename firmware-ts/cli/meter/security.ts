import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CounterSource } from '#acquisition/meter-access.ts';
import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import type { AssociationSettings, CipheringSettings } from '#identity/association-keys.ts';
import { PROTECTION_LEVELS, SERVICE_FORMS, usesCounter } from '#identity/association-keys.ts';
import { clientTitleOf } from '#identity/association.ts';
import type { HeldLedger } from '#identity/counter-lock.ts';
import { holdCounterLedger } from '#identity/counter-lock.ts';
import { readKeyring } from '#identity/keyring.ts';
import { MeterKeys } from '#identity/meter-keys.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { INVOCATION_COUNTER_MAX } from '#protocol/dlms/invocation-counter.ts';
import type { AuthenticationPolicy } from '#protocol/dlms/security.ts';
import { readBounded } from '#system/bounded-file.ts';
import { machineName } from '#system/machine-name.ts';
import { secretPath } from '#system/service-credentials.ts';
import type { Invocation, Option } from '../command.ts';
import { numberIn, usage } from './usage.ts';

const MECHANISMS = Object.keys(MECHANISM) as readonly MechanismName[];
const POLICIES: readonly AuthenticationPolicy[] = ['require', 'if-key', 'never'];
const TITLE = /^[0-9a-fA-F]{16}$/;

/** Who asks, how that is proven, and what is ciphered; keys are never among them. */
export const SECURITY_OPTIONS: readonly Option[] = [
  {
    flags: '--password-file <file>',
    description: "low security: the password's file, its owner's alone (0600)",
  },
  {
    flags: '--keyring <file>',
    description: 'YAML with the keys of meters (0600), or credential:NAME',
  },
  { flags: '--meter <name>', description: 'whose keys of the keyring' },
  {
    flags: '--mechanism <name>',
    description: 'how this client proves itself; high-gmac is usual',
    choices: MECHANISMS,
  },
  {
    flags: '--ciphering <services>',
    description: 'a ciphered context; glo is usual',
    choices: SERVICE_FORMS,
  },
  { flags: '--signed', description: 'services are signed around their ciphering' },
  {
    flags: '--level <level>',
    description: 'what ciphering does to what is sent',
    choices: PROTECTION_LEVELS,
    default: 'authenticated-and-encrypted',
  },
  {
    flags: '--authentication <policy>',
    description: 'what is taken of what comes',
    choices: POLICIES,
    default: 'if-key',
  },
  {
    flags: '--referencing <names>',
    description: 'logical names, or the short names of old meters',
    choices: ['LN', 'SN'],
    default: 'LN',
  },
  { flags: '--pre-established', description: 'the association stands already' },
  { flags: '--title <hex>', description: "system title of this client, no other program's" },
  {
    flags: '--counters <file>',
    description: 'where invocation counters are reserved; one of your own unless given',
  },
  {
    flags: '--counter <obis>',
    description: 'where an unknown counter is read from',
    default: '0-0:43.1.0',
  },
  { flags: '--counter-client <number>', description: 'who reads it', default: '16' },
  { flags: '--counter-begin <number>', description: 'nobody reads it: 0 for a new key' },
];

type Options = Invocation['options'];

export interface MeterSecurity {
  readonly settings: AssociationSettings;
  readonly keys?: MeterKeys;
  readonly clientTitle: Uint8Array;
  readonly counterSource: CounterSource;
}

/** Errors: `usage`, those of the files that are named. */
export function securityOf(options: Options): MeterSecurity {
  const { passwordFile, title } = options;
  if (typeof title === 'string' && !TITLE.test(title)) throw usage('--title takes 16 hex digits');
  const keys = typeof passwordFile === 'string' ? passwordIn(passwordFile) : keysOf(options);
  const ciphering = cipheringOf(options);
  const low = passwordFile !== undefined ? 'low' : 'lowest';
  return {
    settings: {
      referencing: options['referencing'] === 'SN' ? 'SN' : 'LN',
      mechanism: oneOf(MECHANISMS, options['mechanism']) ?? low,
      authentication: oneOf(POLICIES, options['authentication']) ?? 'if-key',
      preEstablished: options['preEstablished'] === true,
      ...(ciphering === undefined ? {} : { ciphering }),
    },
    ...(keys === undefined ? {} : { keys }),
    clientTitle: typeof title === 'string' ? fromHex(title) : ownTitle(options),
    counterSource: counterSourceOf(options),
  };
}

/**
 * A title goes with one file of counters on one machine: two that shared it under one key would use
 * the same nonces, each by its own count.
 */
function ownTitle(options: Options): Uint8Array {
  return clientTitleOf('normctl', `${machineName()} ${resolve(countersFile(options))}`);
}

function countersFile({ counters }: Options): string {
  const state = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');
  return typeof counters === 'string' ? counters : join(state, 'normctl', 'counters');
}

function oneOf<Word extends string>(words: readonly Word[], word: unknown): Word | undefined {
  return words.find((one) => one === word);
}

/** Errors: `usage`. */
function cipheringOf({ ciphering, level, signed }: Options): CipheringSettings | undefined {
  const services = oneOf(SERVICE_FORMS, ciphering);
  if (services === undefined && signed === true) throw usage('--signed needs --ciphering');
  if (services === undefined) return undefined;
  const standard = 'authenticated-and-encrypted';
  return {
    services,
    level: oneOf(PROTECTION_LEVELS, level) ?? standard,
    signed: signed === true,
  };
}

function counterSourceOf({ counter, counterClient, counterBegin }: Options): CounterSource {
  if (counterBegin !== undefined) {
    const most = INVOCATION_COUNTER_MAX - 1;
    return { beginAt: numberIn('--counter-begin', counterBegin, 0, most) };
  }
  return {
    client: numberIn('--counter-client', counterClient, 1, 0x3fff),
    object: obisFrom(String(counter)),
  };
}

/** Errors: `usage`, `key-missing`, those of `readKeyring`. */
function keysOf({ keyring, meter }: Options): MeterKeys | undefined {
  if (typeof keyring !== 'string') return undefined;
  const ring = readKeyring(secretPath(keyring));
  if (typeof meter !== 'string') throw usage('--keyring needs --meter NAME');
  const keys = ring.named(meter);
  if (keys !== undefined) return keys;
  throw new OperatingError('key-missing', `the keyring has no meter ${JSON.stringify(meter)}`, {
    path: keyring,
    hint: `it has ${ring.names().join(', ') || 'none'}`,
  });
}

const PASSWORD_BYTES_MAX = 256;

function passwordIn(file: string): MeterKeys {
  const bytes = readBounded(secretPath(file), { users: 'owner', bytesMax: PASSWORD_BYTES_MAX });
  const secret = Uint8Array.from(bytes.subarray(0, lengthOfLine(bytes)));
  return new MeterKeys({ name: file, suite: 0, secret });
}

/** An editor ends the last line; that is no part of the password. */
function lengthOfLine(bytes: Uint8Array): number {
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  return end < 0 ? bytes.length : end;
}

/** The ledger of counters, where one is used. Errors: those of `holdCounterLedger`. */
export async function heldCounters(
  { settings }: MeterSecurity,
  options: Options,
): Promise<HeldLedger | undefined> {
  return usesCounter(settings) ? holdCounterLedger(countersFile(options)) : undefined;
}
