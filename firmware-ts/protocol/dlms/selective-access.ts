import { OperatingError } from '#bytes/failure.ts';
import type { Data } from './data.ts';
import type { AccessSelection, SelectedAttribute } from './descriptors.ts';
import type { AttributeReference, CaptureObject, SelectiveAccess } from './service.ts';

const RANGE = 1;
const ENTRY = 2;

/** As it goes out (IEC 62056-6-2, 4.3.6.3). */
export function selectionOf(access: SelectiveAccess): AccessSelection {
  switch (access.kind) {
    case 'range': {
      const columns: Data = { type: 'array', value: access.columns.map(dataOfCaptureObject) };
      const restricting = dataOfCaptureObject(access.restricting);
      return selection(RANGE, [restricting, access.from, access.to, columns]);
    }
    case 'entry': {
      const { fromEntry, toEntry, fromColumn, toColumn } = access;
      const entry = (value: number): Data => ({ type: 'double-long-unsigned', value });
      const column = (value: number): Data => ({ type: 'long-unsigned', value });
      const entries = [entry(fromEntry), entry(toEntry)];
      return selection(ENTRY, [...entries, column(fromColumn), column(toColumn)]);
    }
    case 'other':
      return { accessSelector: access.selector, accessParameters: access.parameters };
  }
}

function selection(accessSelector: number, value: readonly Data[]): AccessSelection {
  return { accessSelector, accessParameters: { type: 'structure', value } };
}

/** What was asked; a selector or parameters of no known form come back as `other`. */
export function selectiveAccessFrom({
  accessSelector: selector,
  accessParameters: parameters,
}: AccessSelection): SelectiveAccess {
  const elements = parameters.type === 'structure' ? parameters.value : [];
  if (selector === RANGE) return rangeFrom(elements) ?? { kind: 'other', selector, parameters };
  if (selector === ENTRY) return entryFrom(elements) ?? { kind: 'other', selector, parameters };
  return { kind: 'other', selector, parameters };
}

/** An attribute and the part of it that is meant, as both go out together. */
export function selectedOf({ access, ...attribute }: AttributeReference): SelectedAttribute {
  return access === undefined ? { attribute } : { attribute, accessSelection: selectionOf(access) };
}

/** The other way round. */
export function referenceOf({ attribute, accessSelection }: SelectedAttribute): AttributeReference {
  if (accessSelection === undefined) return attribute;
  return { ...attribute, access: selectiveAccessFrom(accessSelection) };
}

function rangeFrom(elements: readonly Data[]): SelectiveAccess | undefined {
  const [first, from, to, last] = elements;
  const restricting = first && captureObjectFrom(first);
  if (restricting === undefined || from === undefined || to === undefined) return undefined;
  if (last?.type !== 'array') return undefined;
  const columns = last.value.map(captureObjectFrom);
  if (!columns.every((column) => column !== undefined)) return undefined;
  return { kind: 'range', restricting, from, to, columns };
}

function entryFrom(elements: readonly Data[]): SelectiveAccess | undefined {
  const numbers = elements.map(({ value }) => value);
  if (!numbers.every((value) => typeof value === 'number')) return undefined;
  const [fromEntry, toEntry, fromColumn, toColumn] = numbers;
  if (fromEntry === undefined || toEntry === undefined) return undefined;
  if (fromColumn === undefined || toColumn === undefined) return undefined;
  return { kind: 'entry', fromEntry, toEntry, fromColumn, toColumn };
}

/** capture_object_definition (IEC 62056-6-2, 4.3.6.2.3). */
export function dataOfCaptureObject(object: CaptureObject): Data {
  return {
    type: 'structure',
    value: [
      { type: 'long-unsigned', value: object.classId },
      { type: 'octet-string', value: object.instanceId },
      { type: 'integer', value: object.attributeId },
      { type: 'long-unsigned', value: object.dataIndex },
    ],
  };
}

/** `undefined` where it is none; newer meters add a restriction, which is left out. */
export function captureObjectFrom(data: Data): CaptureObject | undefined {
  const [classId, instanceId, attributeId, dataIndex] = data.type === 'structure' ? data.value : [];
  if (typeof classId?.value !== 'number' || instanceId?.type !== 'octet-string') return undefined;
  if (typeof attributeId?.value !== 'number' || instanceId.value.length !== 6) return undefined;
  return {
    classId: classId.value,
    instanceId: instanceId.value,
    attributeId: attributeId.value,
    dataIndex: typeof dataIndex?.value === 'number' ? dataIndex.value : 0,
  };
}

/** Columns of a profile. Errors: `unexpected-type`. */
export function captureObjectsFrom(data: Data): readonly CaptureObject[] {
  const objects = data.type === 'array' ? data.value.map(captureObjectFrom) : [undefined];
  if (objects.every((object) => object !== undefined)) return objects;
  throw new OperatingError('unexpected-type', 'no list of capture objects', {
    field: 'capture-objects',
  });
}
