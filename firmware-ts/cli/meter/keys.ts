import { OperatingError, failureOf } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { missingKeys } from '#identity/association-keys.ts';
import { addNextKey, dropNextKey, nextNameOf, settleNextKey } from '#identity/keyring-change.ts';
import type { Keyring } from '#identity/keyring.ts';
import { readKeyring } from '#identity/keyring.ts';
import type { MeterKeys } from '#identity/meter-keys.ts';
import type { TransferredKey } from '#protocol/cosem/transfer-key.ts';
import { TRANSFERRED_KEYS, transferKey } from '#protocol/cosem/transfer-key.ts';
import type { Procedure } from '#protocol/dlms/procedure.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { machineCiphers } from '#system/ciphers.ts';
import type { Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { securityOf } from './security.ts';
import { meterVerb, withMeter } from './session.ts';
import { usage } from './usage.ts';

interface Change {
  readonly file: string;
  readonly meter: string;
  readonly key: TransferredKey;
}

const KEYS = Object.keys(TRANSFERRED_KEYS) as readonly TransferredKey[];

/** `normctl meter keys --key NAME --keyring FILE --meter NAME`: no key is ever shown. */
export const meterKeys = meterVerb(async (invocation, terminal) => {
  const change = changeFrom(invocation);
  const how = await changedKey(change, invocation, terminal);
  const { meter, key, file } = change;
  if (invocation.json) printData(terminal, invocation, { meter, key, [how]: true });
  else terminal.out(`${meter}  ${key} key ${how}; ${file} has it, and the old one aside`);
  return EXIT.ok;
});

/** Errors: `usage`. */
function changeFrom({ options }: Invocation): Change {
  const { keyring: file, meter } = options;
  if (typeof file !== 'string' || typeof meter !== 'string') {
    throw usage('keys are changed in a keyring: --keyring FILE --meter NAME');
  }
  if (file.startsWith('credential:')) {
    throw usage('a credential does not change: name the file that the unit makes it of');
  }
  const key = KEYS.find((one) => one === options['key']);
  if (key === undefined) throw usage(`--key takes ${KEYS.join(', ')}`);
  return { file, meter, key };
}

/** The new key stands in the keyring before the meter has it: a death leaves both known. */
async function changedKey(
  change: Change,
  invocation: Invocation,
  terminal: Terminal,
): Promise<'changed' | 'settled'> {
  const { file, meter, key } = change;
  const ask = asking(invocation, terminal);
  // Only an association that uses the key can tell which one the meter has.
  const tells = missingKeys(securityOf(invocation.options).settings, undefined).includes(key);
  const ring = readKeyring(file);
  const [keys, begun] = [ring.named(meter), begunIn(ring, change)];
  if (begun !== undefined && tells && (await isInForce(meter, ask))) {
    await settleNextKey(file, meter);
    return 'settled';
  }
  const master = masterOf(keys, file);
  await confirm(`Give ${meter} a new ${key} key?`, invocation, terminal);
  const fresh = begun ?? machineCiphers.randomBytes(keys?.suite === 2 ? 32 : 16);
  if (begun === undefined) await addNextKey(file, meter, key, fresh);
  await transferred(change, machineCiphers.wrapKey(master, fresh), ask);
  if (tells && !(await isInForce(meter, ask))) throw notTaken(meter);
  await settleNextKey(file, meter);
  return 'changed';
}

/** The new key of a change that was cut. Errors: `usage` where it was of another key. */
function begunIn(ring: Keyring, { meter, key }: Change): Uint8Array | undefined {
  const begun = ring.named(nextNameOf(meter))?.cipherKeys();
  if (begun === undefined) return undefined;
  const present = ring.named(meter)?.cipherKeys();
  const changing = KEYS.find((one) => toText(begun[one]) !== toText(present?.[one])) ?? key;
  if (changing === key) return begun[key];
  throw usage(`a change of the ${changing} key was begun: end it first, --key ${changing}`);
}

function toText(key: Uint8Array | undefined): string {
  return toHex(key ?? new Uint8Array(0));
}

/** Asks the meter under the keys of a name in the keyring. */
type Ask = <Result>(
  name: string,
  work: Procedure<Result>,
  options?: Invocation['options'],
) => Promise<Result>;

function asking(invocation: Invocation, terminal: Terminal): Ask {
  return (meter, work, options) => {
    const asked = { ...invocation, options: { ...invocation.options, ...options, meter } };
    return withMeter(asked, terminal, (session) => session.run(work));
  };
}

/** Codes by which a meter says that it has not taken the key. */
const REFUSED: readonly string[] = ['access-denied', 'access-failed', 'object-missing'];

async function transferred(
  { file, meter, key }: Change,
  wrapped: Uint8Array,
  ask: Ask,
): Promise<void> {
  try {
    await ask(meter, transferKey({ key, wrapped }));
  } catch (error) {
    if (REFUSED.includes(failureOf(error).code)) await dropNextKey(file, meter);
    throw error;
  }
}

/**
 * Whether the meter talks under the new key. No for sure only if it talks under the old one: meters
 * say nothing at all to a wrong key, and a line is silent, too. Errors: of the new key where it
 * talks under neither.
 */
async function isInForce(meter: string, ask: Ask): Promise<boolean> {
  const failure = await failureUnder(nextNameOf(meter), ask);
  if (failure === undefined) return true;
  if ((await failureUnder(meter, ask)) === undefined) return false;
  throw failure;
}

const OWN_ASSOCIATION = Uint8Array.of(0, 0, 40, 0, 0, 255);
const NO_TRACE = { trace: undefined };

async function failureUnder(name: string, ask: Ask): Promise<OperatingError | undefined> {
  const association = { classId: 15, instanceId: OWN_ASSOCIATION, attributeId: 1 };
  try {
    await ask(name, get(association), NO_TRACE);
    return undefined;
  } catch (error) {
    if (error instanceof OperatingError) return error;
    throw error;
  }
}

function masterOf(keys: MeterKeys | undefined, path: string): Uint8Array {
  const master = keys?.master();
  if (master !== undefined) return master;
  throw new OperatingError('key-missing', 'a new key goes under the master key', {
    field: 'master',
    path,
    hint: 'put the master key (KEK) of this meter into the keyring',
  });
}

function notTaken(meter: string): OperatingError {
  return new OperatingError('key-not-taken', 'the meter took the new key and does not use it', {
    hint: `both are in the keyring, the new one as ${nextNameOf(meter)}; run it again`,
  });
}
