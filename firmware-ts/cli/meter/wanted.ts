import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import type { Attribute } from '#protocol/cosem/classes/lookup.ts';
import { attributesOf, interfaceClassOf } from '#protocol/cosem/classes/lookup.ts';
import { obisWords } from '#protocol/cosem/obis-words.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import type { CosemObject } from '#protocol/cosem/object-list.ts';
import { readObjectList } from '#protocol/cosem/object-list.ts';
import { usage } from './usage.ts';

/** What is wanted of a meter: an object by its name or class and logical name, and an attribute. */
export interface Wanted {
  readonly object:
    | { readonly words: string; readonly country?: string | undefined }
    | { readonly logicalName: Uint8Array };
  readonly classId?: number;
  /** Number or name; the value where it is not said. */
  readonly attribute: string;
}

/** How the meter's objects are named. */
export type Names = AssociationSettings['referencing'];

/** An attribute that is found, and its name where the class has a table. */
export interface Found {
  readonly classId: number;
  readonly logicalName: Uint8Array;
  readonly attributeId: number;
  readonly attribute?: Attribute;
}

const FORM = /^(?:(\d{1,5})\/)?(\d+-\d+:\d+\.\d+\.\d+(?:\*\d+)?)(?:\/(\w[\w-]*))?$/;
const WORDS = /^[A-Za-z][\w ,+:-]*$/;
export const VALUE_ATTRIBUTE = 2;

/** Errors: `usage`. */
export function wantedFrom(
  word: string,
  attribute: string | undefined,
  country: string | undefined,
): Wanted {
  const [, classId, obis, number] = FORM.exec(word) ?? [];
  const named = attribute ?? number ?? String(VALUE_ATTRIBUTE);
  if (obis === undefined && WORDS.test(word)) {
    return { object: { words: word, country }, attribute: named };
  }
  if (obis === undefined || (attribute !== undefined && number !== undefined)) {
    throw usage(
      `${JSON.stringify(word)} is no object: write 1-0:1.8.0*255 or CLASS/OBIS/ATTRIBUTE`,
    );
  }
  return {
    ...(classId === undefined ? {} : { classId: Number(classId) }),
    object: { logicalName: obisFrom(obis) },
    attribute: named,
  };
}

/** Looks it up in the meter's list. Errors: `object-missing`, `usage`. */
export async function findWanted(
  meter: MeterSession,
  wanted: Wanted,
  names: Names,
): Promise<Found> {
  const objects = await meter.run(readObjectList(names));
  const found = objects.find((one) => isWanted(one, wanted));
  if (found === undefined) throw objectMissing(wanted);
  const { logicalName } = found;
  return { classId: found.classId, logicalName, ...attributeIn(found, wanted.attribute) };
}

function isWanted(one: CosemObject, { object, classId }: Wanted): boolean {
  if (classId !== undefined && classId !== one.classId) return false;
  if ('words' in object) return obisWords(one.logicalName, object.country) === object.words;
  return obisText(one.logicalName) === obisText(object.logicalName);
}

function objectMissing({ object }: Wanted): OperatingError {
  const name = 'words' in object ? JSON.stringify(object.words) : obisText(object.logicalName);
  return new OperatingError('object-missing', `this client sees no ${name} in the meter`, {
    hint: 'see what it has: normctl meter objects',
  });
}

/** Errors: `usage`. */
function attributeIn(
  { classId, version }: CosemObject,
  word: string,
): Pick<Found, 'attributeId' | 'attribute'> {
  const table = interfaceClassOf(classId, version);
  const known = table === undefined ? [] : attributesOf(table);
  const attribute = known.find(({ name, attributeId }) =>
    [name, String(attributeId)].includes(word),
  );
  if (attribute !== undefined) return { attributeId: attribute.attributeId, attribute };
  if (/^\d{1,3}$/.test(word)) return { attributeId: Number(word) };
  const names = known.map(({ name }) => name).join(', ') || 'a number here';
  throw usage(`${JSON.stringify(word)} is no attribute of class ${classId}: write ${names}`);
}
