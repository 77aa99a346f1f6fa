import { unitCode } from '#protocol/cosem/units.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import type { Served } from '#protocol/dlms/server/server-objects.ts';
import type { SelectiveAccess } from '#protocol/dlms/service.ts';

/** Attributes of one object by number; a function is asked each time. */
export type Attributes = Readonly<Record<number, Data | (() => Data)>>;

export interface SimulatedObject {
  readonly classId: number;
  readonly version: number;
  readonly attributes: Attributes;
  /** Methods that it has. */
  readonly methods?: readonly number[];
  /** Without it, nothing can be written. */
  set?(attributeId: number, data: Data): DataAccessWord;
  act?(methodId: number, parameters: Data | undefined): DataAccessWord;
  /** Part of attribute 2. */
  selected?(access: SelectiveAccess): Served;
}

export function object(classId: number, version: number, attributes: Attributes): SimulatedObject {
  return { classId, version, attributes };
}

export function register(value: () => number, scaler: number, unit: string): SimulatedObject {
  return object(3, 0, {
    2: () => unsigned32(value()),
    3: structure({ type: 'integer', value: scaler }, enumeration(unitCode(unit) ?? 255)),
  });
}

export function octets(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}

export function unsigned32(value: number): Data {
  return { type: 'double-long-unsigned', value };
}

export function enumeration(value: number): Data {
  return { type: 'enum', value };
}

export function structure(...value: readonly Data[]): Data {
  return { type: 'structure', value };
}

export function array(value: readonly Data[]): Data {
  return { type: 'array', value };
}

export function fieldsOf(parameters: Data | undefined): readonly Data[] {
  return parameters?.type === 'structure' ? parameters.value : [];
}
