import { TRANSFERRED_KEYS } from '#protocol/cosem/transfer-key.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { machineCiphers } from '#system/ciphers.ts';
import type { MeterAssociation } from './association.ts';
import type { SimulatedObject } from './object.ts';
import { enumeration, fieldsOf, object, unsigned32 } from './object.ts';
import type { ReceivedCounters } from './received-counters.ts';

export const SECURITY_SETUP_NAME = '0-0:43.0.0*255';

/** The counter that a client has used last (IEC 62056-6-1, 0-b:43.1.e). */
export function counterObject(received: ReceivedCounters): SimulatedObject {
  return object(1, 0, { 2: () => unsigned32(Math.max(0, received.wanted - 1)) });
}

/** Security setup of one client (IEC 62056-6-2, 4.4.7): its keys can be changed. */
export function securitySetup(association: MeterAssociation): SimulatedObject {
  return {
    ...object(64, 0, { 3: enumeration(association.suite) }),
    methods: [2],
    act(methodId, parameters) {
      if (methodId !== 2) return 'object-undefined';
      const [transfer, ...more] = parameters?.type === 'array' ? parameters.value : [];
      const key = more.length === 0 ? keyIn(transfer, association.master()) : undefined;
      if (key === undefined) return 'other-reason';
      association.changeKey(key.name, key.bytes);
      return 'success';
    },
  };
}

interface Unwrapped {
  readonly name: keyof typeof TRANSFERRED_KEYS;
  readonly bytes: Uint8Array;
}

/** `undefined` for what is no key, or not under the master key. */
function keyIn(transfer: Data | undefined, master: Uint8Array | undefined): Unwrapped | undefined {
  const [id, wrapped] = fieldsOf(transfer);
  const names = Object.keys(TRANSFERRED_KEYS) as (keyof typeof TRANSFERRED_KEYS)[];
  const name = names.find((one) => TRANSFERRED_KEYS[one] === id?.value);
  if (name === undefined || wrapped?.type !== 'octet-string' || master === undefined) {
    return undefined;
  }
  const bytes = machineCiphers.unwrapKey(master, wrapped.value);
  return bytes === undefined ? undefined : { name, bytes };
}
