import { stringify } from 'yaml';
import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { loadAgainst, parseAgainst } from '#config/load.ts';
import { keyPairOf } from '#system/ciphers.ts';
import { MeterSchema } from './description.ts';
import type { RegisterDescription, WrittenMeter } from './description.ts';
import { misfitIn } from './description-associations.ts';
import type { AssociationDescription } from './description-associations.ts';

/** A simulated meter with all that was left out. */
export interface MeterDescription extends Omit<WrittenMeter, 'associations' | 'registers'> {
  readonly associations: readonly AssociationDescription[];
  readonly registers: readonly RegisterDescription[];
}

/** The meter of a YAML file. Errors: `bad-meter` with file, line and all that is wrong. */
export function readMeterDescription(file: string): MeterDescription {
  return completed(loadAgainst(MeterSchema, file), file);
}

/** The same for a text; an empty one is the usual meter. */
export function meterDescriptionFrom(text: string, file = 'the description'): MeterDescription {
  return completed(parseAgainst(MeterSchema, text, file), file);
}

/** As a file tells it, with all that was left out. */
export function describedAsYaml(description: MeterDescription): string {
  const { associations, registers, ...meter } = description;
  const inOrder = { ...meter, registers, associations };
  return stringify(inOrder, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

function completed(parsed: ReturnType<typeof loadAgainst>, file: string): MeterDescription {
  if ('problems' in parsed) {
    const [first] = parsed.problems;
    const places = parsed.problems.map(({ line, path, message }) =>
      `line ${line} ${path}: ${message}`.replace('  ', ' '),
    );
    throw new OperatingError('bad-meter', places.join('; '), { path: file, hint: first.hint });
  }
  const written = parsed.value as WrittenMeter;
  for (const association of written.associations ?? []) {
    const misfit = misfitIn(association);
    if (misfit === undefined) continue;
    const { client, suite } = association;
    throw new OperatingError('bad-meter', `client ${client}: ${misfit} is none of suite ${suite}`, {
      path: file,
      field: misfit,
      hint: 'suites 0 and 1 have keys of 16 bytes, suite 2 of 32; suite 0 has no curve',
    });
  }
  const whole = { associations: USUAL_ASSOCIATIONS, registers: USUAL_REGISTERS, ...written };
  const { push } = written;
  if (push === undefined || whole.associations.some(({ client }) => client === push.client)) {
    return whole;
  }
  throw new OperatingError('bad-meter', `push: the meter has no client ${push.client}`, {
    path: file,
    hint: 'name one of associations: its keys seal what is pushed',
  });
}

/** Numbers of the Green Book's examples, and others that nobody takes for secrets. */
export const USUAL_KEYS = {
  encryption: '000102030405060708090a0b0c0d0e0f',
  authentication: 'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf',
  master: '00112233445566778899aabbccddeeff',
  meterSigning: '11'.repeat(32),
  clientSigning: '22'.repeat(32),
  meterAgreement: '33'.repeat(32),
  clientAgreement: '44'.repeat(32),
} as const;
export const USUAL_PASSWORD = '12345678';

/** The same, as long as suite 2 wants them. */
export const USUAL_KEYS_2 = {
  encryption: USUAL_KEYS.encryption.repeat(2),
  authentication: USUAL_KEYS.authentication.repeat(2),
  master: USUAL_KEYS.master.repeat(2),
  meterSigning: '11'.repeat(48),
  clientSigning: '22'.repeat(48),
  meterAgreement: '33'.repeat(48),
  clientAgreement: '44'.repeat(48),
} as const;

function pointOf(privateKey: string): string {
  const curve = privateKey.length === 96 ? 'P-384' : 'P-256';
  return toHex(keyPairOf(curve, Buffer.from(privateKey, 'hex')).publicKey);
}

/** All keys that a client may use, of suite 1 or 2. */
function everyKey(keys: Readonly<Record<keyof typeof USUAL_KEYS, string>>) {
  return {
    encryption: keys.encryption,
    authentication: keys.authentication,
    master: keys.master,
    signing: keys.meterSigning,
    clientSigning: pointOf(keys.clientSigning),
    agreement: keys.meterAgreement,
    clientAgreement: pointOf(keys.clientAgreement),
  };
}

const { encryption, authentication, master } = USUAL_KEYS;
const password = USUAL_PASSWORD;
const rights = 'all';

/**
 * The public client and management have their usual addresses, 2 reads with a password, 3 and 4
 * have every key of suites 1 and 2, and each high mechanism has a client from 18 on: 16 and its
 * number.
 */
const USUAL_ASSOCIATIONS: readonly AssociationDescription[] = [
  { client: 16, mechanism: 'lowest', suite: 0, rights: 'read' },
  { client: 1, mechanism: 'high-gmac', suite: 0, rights, encryption, authentication, master },
  { client: 2, mechanism: 'low', suite: 0, rights, password },
  { client: 3, mechanism: 'high-gmac', suite: 1, rights, ...everyKey(USUAL_KEYS) },
  { client: 4, mechanism: 'high-ecdsa', suite: 2, rights, ...everyKey(USUAL_KEYS_2) },
  { client: 18, mechanism: 'high', suite: 0, rights, password: password.repeat(2) },
  { client: 19, mechanism: 'high-md5', suite: 0, rights, password },
  { client: 20, mechanism: 'high-sha1', suite: 0, rights, password },
  { client: 22, mechanism: 'high-sha256', suite: 0, rights, password },
  {
    client: 23,
    mechanism: 'high-ecdsa',
    suite: 1,
    rights,
    signing: USUAL_KEYS.meterSigning,
    clientSigning: pointOf(USUAL_KEYS.clientSigning),
  },
];

const growing = { scaler: 0, start: 0, swing: 0, captured: true };
const swinging = { perHour: 0, captured: false };

const USUAL_REGISTERS: readonly RegisterDescription[] = [
  { ...growing, obis: '1-0:1.8.0*255', unit: 'Wh', perHour: 1800 },
  { ...growing, obis: '1-0:2.8.0*255', unit: 'Wh', perHour: 250 },
  { ...growing, obis: '1-0:3.8.0*255', unit: 'varh', perHour: 420 },
  { ...swinging, obis: '1-0:1.7.0*255', unit: 'W', scaler: 0, start: 1800, swing: 240 },
  { ...swinging, obis: '1-0:32.7.0*255', unit: 'V', scaler: -1, start: 2300, swing: 6 },
  { ...swinging, obis: '1-0:31.7.0*255', unit: 'A', scaler: -2, start: 783, swing: 90 },
];
