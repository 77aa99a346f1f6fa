import { OperatingError, failureOf } from '#bytes/failure.ts';
import { addNextKey, dropNextKey, nextNameOf, settleNextKey } from '#identity/keyring-change.ts';
import { readKeyring } from '#identity/keyring.ts';
import type { MeterKeys } from '#identity/meter-keys.ts';
import type { TransferredKey } from '#protocol/cosem/transfer-key.ts';
import { TRANSFERRED_KEYS, transferKey } from '#protocol/cosem/transfer-key.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { machineCiphers } from '#system/ciphers.ts';
import type { Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { meterVerb, withMeter } from './session.ts';
import { usage } from './usage.ts';

interface Change {
  readonly file: string;
  readonly meter: string;
  readonly key: TransferredKey;
}

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
  const named = Object.keys(TRANSFERRED_KEYS) as readonly TransferredKey[];
  const key = named.find((one) => one === options['key']);
  if (key === undefined) throw usage(`--key takes ${named.join(', ')}`);
  return { file, meter, key };
}

/** The new key stands in the keyring before the meter has it: a death leaves both known. */
async function changedKey(
  change: Change,
  invocation: Invocation,
  terminal: Terminal,
): Promise<'changed' | 'settled'> {
  const { file, meter, key } = change;
  const ring = readKeyring(file);
  const begun = ring.named(nextNameOf(meter));
  if (begun !== undefined && (await opens(change, invocation))) {
    await settleNextKey(file, meter);
    return 'settled';
  }
  const keys = ring.named(meter);
  const master = masterOf(keys, file);
  await confirm(`Give ${meter} a new ${key} key?`, invocation, terminal);
  const fresh = keyOf(begun, key) ?? machineCiphers.randomBytes(keys?.suite === 2 ? 32 : 16);
  if (begun === undefined) await addNextKey(file, meter, key, fresh);
  await transferred(change, machineCiphers.wrapKey(master, fresh), invocation);
  if (!(await opens(change, invocation))) throw notTaken(meter);
  await settleNextKey(file, meter);
  return 'changed';
}

function keyOf(keys: MeterKeys | undefined, key: TransferredKey): Uint8Array | undefined {
  return keys?.cipherKeys()[key];
}

/** Codes by which a meter says that it has not taken the key. */
const REFUSED: readonly string[] = ['access-denied', 'access-failed', 'object-missing'];

async function transferred(
  { file, meter, key }: Change,
  wrapped: Uint8Array,
  invocation: Invocation,
): Promise<void> {
  try {
    await withMeter(invocation, (session) => session.run(transferKey({ key, wrapped })));
  } catch (error) {
    if (REFUSED.includes(failureOf(error).code)) await dropNextKey(file, meter);
    throw error;
  }
}

const OWN_ASSOCIATION = Uint8Array.of(0, 0, 40, 0, 0, 255);

/** Whether the meter talks under the new key. Errors: those of the line. */
async function opens({ meter }: Change, invocation: Invocation): Promise<boolean> {
  const options = { ...invocation.options, meter: nextNameOf(meter), trace: undefined };
  const name = { classId: 15, instanceId: OWN_ASSOCIATION, attributeId: 1 };
  try {
    await withMeter({ ...invocation, options }, (session) => session.run(get(name)));
    return true;
  } catch (error) {
    if (!(error instanceof OperatingError) || LINE.includes(error.code)) throw error;
    return false;
  }
}

/** Nobody can say whether the key is the meter's. */
const LINE: readonly string[] = [
  'no-answer',
  'connection-lost',
  'connection-refused',
  'connection-reset',
  'timed-out',
  'unreachable',
];

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
