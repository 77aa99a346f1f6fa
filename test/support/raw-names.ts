import type { ShortNames } from '#protocol/dlms/client/short-name-exchange.ts';
import type { AttributeReference } from '#protocol/dlms/service.ts';
import type { VariableAccess } from '#protocol/dlms/short-names.ts';

/** Short names as they stand in a recording: a logical name is made of the short one. */
export const RAW_NAMES: ShortNames = {
  attribute: (_class, [, , , , high = 0, low = 0]) => (high << 8) | low,
  method: (_class, [, , , , high = 0, low = 0]) => (high << 8) | low,
};

/** What a client must be asked for, to send this. */
export function rawReference(access: VariableAccess): AttributeReference {
  if (access.kind !== 'variable-name' && access.kind !== 'parameterized-access') {
    throw new RangeError(`no attribute is named by ${access.kind}`);
  }
  const { variableName: name } = access;
  const instanceId = Uint8Array.of(0, 0, 0, 0, name >> 8, name);
  const attribute = { classId: 0, instanceId, attributeId: 1 };
  if (access.kind === 'variable-name') return attribute;
  const { selector, parameter: parameters } = access;
  return { ...attribute, access: { kind: 'other', selector, parameters } };
}
