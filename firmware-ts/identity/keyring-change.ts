import { parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { readBounded } from '#system/bounded-file.ts';
import { writeDurably } from '#system/durable-file.ts';
import { KEYRING_BYTES_MAX, KEYRING_PARSING, keyringFrom } from './keyring.ts';

/** Of a meter whose key is being changed: its keys with the new one, until that is proven. */
export function nextNameOf(meter: string): string {
  return `${meter}.next`;
}

/** Its keys as they were before the last change, for whoever has a backup of the meter. */
function beforeNameOf(meter: string): string {
  return `${meter}.before`;
}

/**
 * Keeps a new key beside the old ones, durably: from now on a death leaves both known. Errors:
 * `bad-keyring`, those of `readBounded`.
 */
export function addNextKey(
  path: string,
  meter: string,
  field: string,
  key: Uint8Array,
): Promise<void> {
  return changed(path, (document) => {
    const entry: unknown = document.getIn([meter]);
    if (entry === undefined) throw unknownMeter(path, meter);
    const fields = Object.entries(asMapping(document.toJS(), meter));
    // A title names one meter: the entry that holds the keys in force.
    const kept = fields.filter(([name]) => name !== 'system-title');
    const next = Object.fromEntries([...kept, [field, toHex(key)]]);
    document.setIn([nextNameOf(meter)], document.createNode(next));
  });
}

/** The new key is the meter's: it takes the place of the old one, which is kept aside. */
export function settleNextKey(path: string, meter: string): Promise<void> {
  return changed(path, (document) => {
    const whole: unknown = document.toJS();
    const [before, next] = [asMapping(whole, meter), asMapping(whole, nextNameOf(meter))];
    const { 'system-title': title, ...old } = before;
    const named = title === undefined ? {} : { 'system-title': title };
    document.setIn([meter], document.createNode({ ...named, ...next }));
    document.setIn([beforeNameOf(meter)], document.createNode(old));
    document.deleteIn([nextNameOf(meter)]);
  });
}

/** The meter has refused the new key: nobody will need it. */
export function dropNextKey(path: string, meter: string): Promise<void> {
  return changed(path, (document) => void document.deleteIn([nextNameOf(meter)]));
}

async function changed(path: string, change: (document: Document) => void): Promise<void> {
  const text = readBounded(path, { users: 'owner', bytesMax: KEYRING_BYTES_MAX }).toString();
  keyringFrom(text);
  const document = parseDocument(text, KEYRING_PARSING);
  change(document);
  const after = document.toString({ defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' });
  keyringFrom(after);
  await writeDurably(path, after, 0o600);
}

function asMapping(whole: unknown, meter: string): Readonly<Record<string, unknown>> {
  const entry = (whole as Readonly<Record<string, unknown>>)[meter];
  return entry as Readonly<Record<string, unknown>>;
}

function unknownMeter(path: string, meter: string): OperatingError {
  return new OperatingError('key-missing', `the keyring has no meter ${JSON.stringify(meter)}`, {
    path,
  });
}
