import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import type { Attribute } from '#protocol/cosem/classes/lookup.ts';
import { attributesOf, interfaceClassOf } from '#protocol/cosem/classes/lookup.ts';
import { namedValue } from '#protocol/cosem/classes/named-value.ts';
import { obisWords } from '#protocol/cosem/obis-words.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import type { CosemObject } from '#protocol/cosem/object-list.ts';
import { readObjectList } from '#protocol/cosem/object-list.ts';
import { readRegister } from '#protocol/cosem/register.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { dataJson, dataText } from './data-text.ts';
import { usage } from './usage.ts';
import { countryOf, meterVerb, withMeter } from './session.ts';

/** What is to be read: an object by its name or class and logical name, and which attribute. */
interface Wanted {
  readonly object:
    | { readonly words: string; readonly country?: string | undefined }
    | { readonly logicalName: Uint8Array };
  readonly classId?: number;
  /** Number or name; the value where it is not said. */
  readonly attribute: string;
}

const FORM = /^(?:(\d{1,5})\/)?(\d+-\d+:\d+\.\d+\.\d+(?:\*\d+)?)(?:\/(\w[\w-]*))?$/;
const WORDS = /^[A-Za-z][\w ,+:-]*$/;
const VALUE = 2;
const REGISTERS: readonly number[] = [3, 4];

/** `normctl meter read OBJECT [ATTRIBUTE]` */
export const meterRead = meterVerb(async (invocation, terminal) => {
  const [object = '', attribute] = invocation.arguments;
  const wanted = wantedFrom(object, attribute, countryOf(invocation));
  const read = await withMeter(invocation, (meter, names) => readWanted(meter, wanted, names));
  const mark = read.unverified ? '  unverified' : '';
  if (invocation.json) printData(terminal, invocation, jsonOf(read));
  else terminal.out(`${obisText(read.logicalName)}  ${textOf(read)}${mark}`);
  return EXIT.ok;
});

/** Errors: `usage`. */
function wantedFrom(
  word: string,
  attribute: string | undefined,
  country: string | undefined,
): Wanted {
  const [, classId, obis, number] = FORM.exec(word) ?? [];
  const named = attribute ?? number ?? String(VALUE);
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

/** An attribute that is found, and its name where the class has a table. */
interface Found {
  readonly classId: number;
  readonly logicalName: Uint8Array;
  readonly attributeId: number;
  readonly attribute?: Attribute;
}

interface Read extends Found {
  readonly data: Data;
  readonly scaled?: { readonly value: string; readonly unit: string };
  /** Nothing proved that the meter sent it, although something could have. */
  readonly unverified: boolean;
}

type Names = AssociationSettings['referencing'];

async function readWanted(meter: MeterSession, wanted: Wanted, names: Names): Promise<Read> {
  const found = await find(meter, wanted, names);
  const { classId, logicalName: instanceId, attributeId } = found;
  if (REGISTERS.includes(classId) && attributeId === VALUE) {
    const { data, value, unit } = await meter.run(readRegister(classId, instanceId));
    const scaled = value === undefined ? {} : { scaled: { unit, value } };
    return { ...found, data, ...scaled, unverified: meter.unverified };
  }
  const data = await meter.run(get({ classId, instanceId, attributeId }));
  return { ...found, data, unverified: meter.unverified };
}

/** All in numbers asks the meter nothing more. Errors: `object-missing`, `usage`. */
async function find(meter: MeterSession, wanted: Wanted, names: Names): Promise<Found> {
  const { object, classId, attribute } = wanted;
  if (classId !== undefined && 'logicalName' in object && /^\d+$/.test(attribute)) {
    return { classId, logicalName: object.logicalName, attributeId: Number(attribute) };
  }
  const objects = await meter.run(readObjectList(names));
  const found = objects.find((one) => isWanted(one, wanted));
  if (found === undefined) throw objectMissing(wanted);
  const { logicalName } = found;
  return { classId: found.classId, logicalName, ...attributeIn(found, attribute) };
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

function textOf({ data, scaled, attribute }: Read): string {
  if (scaled !== undefined) return `${scaled.value} ${scaled.unit}`.trim();
  if (attribute === undefined) return dataText(data);
  const named = namedValue(attribute.shape, data, dataText);
  return typeof named === 'string' ? named : JSON.stringify(named);
}

function jsonOf(read: Read): object {
  const { logicalName, classId, attributeId, attribute, data, scaled, unverified } = read;
  return {
    object: obisText(logicalName),
    classId,
    attributeId,
    data: dataJson(data),
    ...(scaled === undefined ? {} : { scaled }),
    ...(unverified ? { quality: ['unverified'] } : {}),
    ...(attribute === undefined
      ? {}
      : { attribute: attribute.name, named: namedValue(attribute.shape, data, dataJson) }),
  };
}
