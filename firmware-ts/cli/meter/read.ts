import type { MeterSession } from '#acquisition/meter-session.ts';
import { namedValue } from '#protocol/cosem/classes/named-value.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import { readRegister } from '#protocol/cosem/register.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { dataJson, dataText } from './data-text.ts';
import { countryOf, meterVerb, withMeter } from './session.ts';
import type { Found, Names, Wanted } from './wanted.ts';
import { VALUE_ATTRIBUTE, findWanted, wantedFrom } from './wanted.ts';

const REGISTERS: readonly number[] = [3, 4];

/** `normctl meter read OBJECT [ATTRIBUTE]` */
export const meterRead = meterVerb(async (invocation, terminal) => {
  const [object = '', attribute] = invocation.arguments;
  const wanted = wantedFrom(object, attribute, countryOf(invocation));
  const read = await withMeter(invocation, terminal, (meter, names) =>
    readWanted(meter, wanted, names),
  );
  const mark = read.unverified ? '  unverified' : '';
  if (invocation.json) printData(terminal, invocation, jsonOf(read));
  else terminal.out(`${obisText(read.logicalName)}  ${textOf(read)}${mark}`);
  return EXIT.ok;
});

interface Read extends Found {
  readonly data: Data;
  readonly scaled?: { readonly value: string; readonly unit: string };
  /** Nothing proved that the meter sent it, although something could have. */
  readonly unverified: boolean;
}

async function readWanted(meter: MeterSession, wanted: Wanted, names: Names): Promise<Read> {
  const found = await find(meter, wanted, names);
  const { classId, logicalName: instanceId, attributeId } = found;
  if (REGISTERS.includes(classId) && attributeId === VALUE_ATTRIBUTE) {
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
  return findWanted(meter, wanted, names);
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
