import type { Data } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { act } from '../dlms/procedure.ts';

const SECURITY_SETUP = 64;
const SECURITY_SETUP_NAME: Uint8Array = Uint8Array.of(0, 0, 43, 0, 0, 255);
const KEY_TRANSFER = 2;

/** key_id (IEC 62056-6-2, 4.4.7: key_transfer). */
export const TRANSFERRED_KEYS = { encryption: 0, broadcast: 1, authentication: 2 } as const;

export type TransferredKey = keyof typeof TRANSFERRED_KEYS;

export interface KeyTransfer {
  readonly key: TransferredKey;
  /** The new key, wrapped under the master key (RFC 3394). */
  readonly wrapped: Uint8Array;
  readonly logicalName?: Uint8Array;
}

/** Gives the meter a new global key. Errors: those of the services. */
export function* transferKey({ key, wrapped, logicalName }: KeyTransfer): Procedure<void> {
  const instanceId = logicalName ?? SECURITY_SETUP_NAME;
  const value: readonly Data[] = [
    { type: 'enum', value: TRANSFERRED_KEYS[key] },
    { type: 'octet-string', value: wrapped },
  ];
  const parameters: Data = { type: 'array', value: [{ type: 'structure', value }] };
  yield* act({
    method: { classId: SECURITY_SETUP, instanceId, methodId: KEY_TRANSFER },
    parameters,
  });
}
