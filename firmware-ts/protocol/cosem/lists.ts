import { toHex } from '#bytes/hex.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import type { Data, DataType } from '../dlms/data.ts';
import { OBIS_BYTES, obisText } from './obis.ts';
import type { ListEntry, PositionList } from './position-lists.ts';
import { CZECH_SCALES, LIST_VERSION, POSITION_LISTS, SCALE_TABLES } from './position-lists.ts';
import { unitSymbol } from './units.ts';

/** One object's value in a pushed body. */
export interface CosemItem {
  /** `A-B:C.D.E*F`. */
  readonly obis: string;
  readonly value: Data;
  /** Power of ten. */
  readonly scaler?: number;
  /** Symbol of `unitSymbol`. */
  readonly unit?: string;
  readonly classId?: number;
  readonly attributeId?: number;
  /** Scaler and unit are not the meter's words but a table's, by the list's name. */
  readonly assumed?: string;
}

export interface CosemList {
  readonly items: readonly CosemItem[];
  /** The table that gave the list its meaning, where it does not describe itself. */
  readonly list?: string;
}

/** Pushed lists have at most a few hundred objects; a profile's rows are no list. */
const LIST_ITEMS_MAX = 2000;

/** The objects that a pushed body tells about; empty where it has no form that is known. */
export function cosemList(body: Data): CosemList {
  const positions = body.type === 'structure' ? positionList(body.value) : undefined;
  if (positions !== undefined) return positions;
  const items: CosemItem[] = [];
  collect(body, items);
  return rescaled(items);
}

/** Depth first; decoding has bounded the depth. */
function collect(data: Data, items: CosemItem[]): void {
  if (data.type !== 'structure' && data.type !== 'array') return;
  if (items.length >= LIST_ITEMS_MAX) return;
  const found = data.type === 'structure' ? structureItems(data.value) : flatItems(data.value);
  if (found !== undefined) items.push(...found);
  else for (const element of data.value) collect(element, items);
}

function structureItems(elements: readonly Data[]): readonly CosemItem[] | undefined {
  const single = describedItem(elements) ?? objectItem(elements);
  return single === undefined ? (pushObjectItems(elements) ?? flatItems(elements)) : [single];
}

/** {attribute descriptor, value}: the Czech meters. */
function describedItem(elements: readonly Data[]): CosemItem | undefined {
  const [descriptor, value] = elements;
  if (descriptor?.type !== 'cosem-attribute-descriptor' || value === undefined) return undefined;
  const { classId, instanceId, attributeId } = descriptor.value;
  const obis = obisText(instanceId);
  const assumed =
    attributeId === VALUE_ATTRIBUTE ? CZECH_SCALES.entries.get(measure(obis)) : undefined;
  const scale = assumed === undefined ? {} : { ...assumed, assumed: CZECH_SCALES.name };
  return { obis, value, ...scale, classId, attributeId };
}

const VALUE_ATTRIBUTE = 2;
const OBJECT_ELEMENTS_MAX = 4;

/** {OBIS, value} with {scaler, unit} as a structure or as two elements, before or after it. */
function objectItem(elements: readonly Data[]): CosemItem | undefined {
  const [name, ...rest] = elements;
  if (!isObis(name) || rest.length === 0 || elements.length > OBJECT_ELEMENTS_MAX) return undefined;
  const scaleAt = rest.findIndex((element) => scaleOf(element) !== undefined);
  const pairAt = scaleAt < 0 ? scalePairAt(rest) : -1;
  const taken = scaleAt >= 0 ? 1 : pairAt >= 0 ? 2 : 0;
  const at = Math.max(scaleAt, pairAt);
  const values = rest.filter((_, index) => index < at || index >= at + taken);
  const [value] = values;
  if (value === undefined || values.length !== 1) return undefined;
  const pair = pairAt >= 0 ? scaleFrom(rest[pairAt], rest[pairAt + 1]) : undefined;
  return { obis: obisText(name.value), value, ...(pair ?? scaleOf(rest[scaleAt])) };
}

function isObis(data: Data | undefined): data is Extract<Data, { type: 'octet-string' }> {
  return data?.type === 'octet-string' && data.value.length === OBIS_BYTES;
}

type Scale = Required<Pick<CosemItem, 'scaler' | 'unit'>>;

function scaleOf(data: Data | undefined): Scale | undefined {
  if (data?.type !== 'structure' || data.value.length !== 2) return undefined;
  return scaleFrom(data.value[0], data.value[1]);
}

/** scal_unit_type in the standard's order, or turned round. */
function scaleFrom(one: Data | undefined, other: Data | undefined): Scale | undefined {
  if (one?.type === 'enum' && other?.type === 'integer') return scaleFrom(other, one);
  if (one?.type !== 'integer' || other?.type !== 'enum') return undefined;
  return { scaler: one.value, unit: unitSymbol(other.value) };
}

function scalePairAt(rest: readonly Data[]): number {
  if (rest.length !== 3) return -1;
  return [0, 1].find((at) => scaleFrom(rest[at], rest[at + 1]) !== undefined) ?? -1;
}

/**
 * A push object list as first element, then the values in its order; the list describes itself
 * as its first object (IEC 62056-6-2, 5.3.8 Push setup).
 */
function pushObjectItems(elements: readonly Data[]): readonly CosemItem[] | undefined {
  const [list, ...values] = elements;
  if (list?.type !== 'array' || list.value.length !== elements.length) return undefined;
  const definitions = list.value.map(definitionOf);
  const items: CosemItem[] = [];
  for (const [index, value] of values.entries()) {
    const definition = definitions[index + 1];
    if (definition === undefined) return undefined;
    items.push({ ...definition, value });
  }
  return scaledByThemselves(items);
}

/** A register's scaler and unit (attribute 3) that were pushed beside its value become its own. */
function scaledByThemselves(items: readonly CosemItem[]): readonly CosemItem[] {
  const scales = new Map(
    items.flatMap((item) => {
      const { obis, value } = item;
      const scale = isScalerUnit(item) ? scaleOf(value) : undefined;
      return scale === undefined ? [] : [[obis, scale] as const];
    }),
  );
  return items
    .filter((item) => !(isScalerUnit(item) && scales.has(item.obis)))
    .map((item) =>
      item.attributeId === VALUE_ATTRIBUTE ? { ...item, ...scales.get(item.obis) } : item,
    );
}

/** Attribute 3 of register and extended register (IEC 62056-6-2, 4.3.2 and 4.3.3). */
function isScalerUnit({ classId, attributeId }: CosemItem): boolean {
  return (classId === 3 || classId === 4) && attributeId === 3;
}

/** Class, logical name and attribute of a push_object_list or capture_objects entry. */
function definitionOf(data: Data): Omit<CosemItem, 'value'> | undefined {
  if (data.type !== 'structure') return undefined;
  const [classId, name, attribute] = data.value;
  if (classId?.type !== 'long-unsigned' || !isObis(name) || attribute?.type !== 'integer') {
    return undefined;
  }
  return { obis: obisText(name.value), classId: classId.value, attributeId: attribute.value };
}

/**
 * OBIS and value in turn, perhaps with {scaler, unit} after the value: Kamstrup, Kaifa in Sweden
 * and Austria. What stands before, between and after without a name is a clock, a list version, a
 * serial number, or null-data for a phase that the meter lacks.
 */
function flatItems(elements: readonly Data[]): readonly CosemItem[] | undefined {
  if (!elements.some((element, index) => isObis(element) && index + 1 < elements.length)) {
    return undefined;
  }
  const items: CosemItem[] = [];
  for (let index = 0; index < elements.length && items.length < LIST_ITEMS_MAX;) {
    const { item, taken } = flatItemAt(elements, index);
    if (item !== undefined) items.push(item);
    index += taken;
  }
  return items.length > 0 ? items : undefined;
}

/** What a flat list may begin with before the first name: its version, or the meter's clock. */
const FIRST_ELEMENTS: Partial<Record<DataType, string>> = {
  'visible-string': LIST_VERSION,
  'octet-string': '0-0:1.0.0*255',
  'date-time': '0-0:1.0.0*255',
};

function flatItemAt(
  elements: readonly Data[],
  index: number,
): { readonly item?: CosemItem; readonly taken: number } {
  const [name, value, after] = elements.slice(index, index + 3);
  if (isObis(name) && value !== undefined) {
    const scale = scaleOf(after);
    const item = { obis: obisText(name.value), value, ...scale };
    return { item, taken: scale === undefined ? 2 : 3 };
  }
  const obis = index === 0 && name !== undefined ? FIRST_ELEMENTS[name.type] : undefined;
  return obis !== undefined && name !== undefined
    ? { item: { obis, value: name }, taken: 1 }
    : { taken: 1 };
}

function positionList(elements: readonly Data[]): CosemList | undefined {
  const list = POSITION_LISTS.find((candidate) => fits(candidate, elements));
  if (list === undefined) return undefined;
  const items = list.entries.flatMap((entry, index) => {
    const value = elements[index];
    return entry === undefined || value === undefined ? [] : [positionItem(list, entry, value)];
  });
  return { items, list: list.name };
}

function positionItem(list: PositionList, entry: ListEntry, value: Data): CosemItem {
  return { ...entry, value, assumed: list.name };
}

/** Without a mark, only a list whose elements are all counters is recognised by its size. */
function fits({ count, least = count, mark }: PositionList, elements: readonly Data[]): boolean {
  if (elements.length > count || elements.length < least) return false;
  if (mark !== undefined) return startsWith(elements[mark.index], mark.hex);
  return elements.every(({ type }) => type === 'double-long-unsigned');
}

function startsWith(data: Data | undefined, hex: string): boolean {
  if (data?.type === 'octet-string') return toHex(data.value).startsWith(hex);
  return data?.type === 'visible-string' && toHex(bytesFromLatin1(data.value)).startsWith(hex);
}

/** Objects without scaler and unit get those of the table that the list's version names. */
function rescaled(items: readonly CosemItem[]): CosemList {
  const table = SCALE_TABLES.find(({ mark }) =>
    items.some(({ obis, value }) => VERSIONS.has(obis) && startsWith(value, mark)),
  );
  if (table === undefined) return { items };
  const scaled = items.map((item) => {
    const scale = item.unit === undefined ? table.entries.get(measure(item.obis)) : undefined;
    return scale === undefined ? item : { ...item, ...scale, assumed: table.name };
  });
  return { items: scaled, list: table.name };
}

/** Kaifa's Swedish list writes 1-0 where the Norwegian ones write 1-1. */
const VERSIONS: ReadonlySet<string> = new Set([LIST_VERSION, '1-0:0.2.129*255']);

/** `C.D.E` of electricity objects. */
function measure(obis: string): string {
  return /^1-\d+:([\d.]+)\*/.exec(obis)?.[1] ?? '';
}
