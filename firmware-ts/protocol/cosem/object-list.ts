import { OperatingError } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { get } from '../dlms/procedure.ts';

/** One object that an association lets a client see (IEC 62056-6-2, 4.4.4: object_list_element). */
export interface CosemObject {
  readonly classId: number;
  readonly version: number;
  readonly logicalName: Uint8Array;
  readonly attributes: readonly AccessRight[];
  readonly methods: readonly AccessRight[];
  /** With short names: where it is. */
  readonly baseName?: number;
}

/** Access to one attribute or method; `mode` is the number of the standard, by the version. */
export interface AccessRight {
  readonly id: number;
  readonly mode: number;
  readonly selectors: readonly number[];
}

const ASSOCIATION_LN = {
  classId: 15,
  instanceId: Uint8Array.of(0, 0, 40, 0, 0, 255),
  attributeId: 2,
};
const ASSOCIATION_SN = { ...ASSOCIATION_LN, classId: 12 };

/** What this association sees. Errors: those of `get`, `unexpected-type`. */
export function* readObjectList(referencing: 'LN' | 'SN'): Procedure<readonly CosemObject[]> {
  const list = yield* get(referencing === 'LN' ? ASSOCIATION_LN : ASSOCIATION_SN);
  if (list.type !== 'array') throw noObjects();
  return list.value.map(referencing === 'LN' ? objectFrom : shortObjectFrom);
}

function objectFrom(data: Data): CosemObject {
  const [classId, version, logicalName, rights] = elementsOf(data);
  const [attributes, methods] = rights === undefined ? [] : elementsOf(rights);
  if (logicalName?.type !== 'octet-string') throw noObjects();
  return {
    classId: numberOf(classId),
    version: numberOf(version),
    logicalName: logicalName.value.slice(),
    attributes: rightsOf(attributes),
    methods: rightsOf(methods),
  };
}

/** objlist_element of short names (4.4.3): base name, class, version, logical name. */
function shortObjectFrom(data: Data): CosemObject {
  const [baseName, classId, version, logicalName] = elementsOf(data);
  if (logicalName?.type !== 'octet-string') throw noObjects();
  return {
    baseName: numberOf(baseName) & 0xffff,
    classId: numberOf(classId),
    version: numberOf(version),
    logicalName: logicalName.value.slice(),
    attributes: [],
    methods: [],
  };
}

function rightsOf(data: Data | undefined): readonly AccessRight[] {
  return data === undefined ? [] : elementsOf(data).map(rightFrom);
}

function rightFrom(data: Data): AccessRight {
  const [id, mode, selectors] = elementsOf(data);
  const known = selectors?.type === 'array' ? selectors.value.map(numberOf) : [];
  return { id: numberOf(id), mode: numberOf(mode), selectors: known };
}

function elementsOf(data: Data): readonly Data[] {
  if (data.type === 'array' || data.type === 'structure') return data.value;
  throw noObjects();
}

/** Older versions tell access to a method as a boolean. */
function numberOf(data: Data | undefined): number {
  if (typeof data?.value === 'number') return data.value;
  if (typeof data?.value === 'boolean') return data.value ? 1 : 0;
  throw noObjects();
}

function noObjects(): OperatingError {
  return new OperatingError('unexpected-type', 'no list of objects', { field: 'object-list' });
}
