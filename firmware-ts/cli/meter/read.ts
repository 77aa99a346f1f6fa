import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError } from '#bytes/failure.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import { readObjectList } from '#protocol/cosem/object-list.ts';
import { readRegister } from '#protocol/cosem/register.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { dataJson, dataText } from './data-text.ts';
import { meterVerb, usage, withMeter } from './session.ts';

/** What is to be read: `1-0:1.8.0*255`, `1-0:1.8.0*255/3`, or `3/1-0:1.8.0*255/2`. */
interface Wanted {
  readonly classId?: number;
  readonly logicalName: Uint8Array;
  readonly attributeId: number;
}

const FORM = /^(?:(\d{1,5})\/)?(\d+-\d+:\d+\.\d+\.\d+(?:\*\d+)?)(?:\/(\d{1,3}))?$/;
const VALUE = 2;
const REGISTERS: readonly number[] = [3, 4];

/** `normctl meter read OBJECT` */
export const meterRead = meterVerb(async (invocation, terminal) => {
  const wanted = wantedFrom(invocation.arguments[0] ?? '');
  const { data, scaled, classId } = await withMeter(invocation, (meter) => read(meter, wanted));
  const { logicalName, attributeId } = wanted;
  const object = obisText(logicalName);
  if (invocation.json) {
    const value = scaled === undefined ? {} : { scaled };
    printData(terminal, invocation, {
      object,
      classId,
      attributeId,
      data: dataJson(data),
      ...value,
    });
  } else {
    const text = scaled === undefined ? dataText(data) : `${scaled.value} ${scaled.unit}`.trim();
    terminal.out(`${object}  ${text}`);
  }
  return EXIT.ok;
});

/** Errors: `usage`. */
function wantedFrom(word: string): Wanted {
  const [, classId, obis, attributeId] = FORM.exec(word) ?? [];
  if (obis === undefined) {
    throw usage(
      `${JSON.stringify(word)} is no object: write 1-0:1.8.0*255 or CLASS/OBIS/ATTRIBUTE`,
    );
  }
  return {
    ...(classId === undefined ? {} : { classId: Number(classId) }),
    logicalName: obisFrom(obis),
    attributeId: Number(attributeId ?? VALUE),
  };
}

interface Read {
  readonly classId: number;
  readonly data: Data;
  readonly scaled?: { readonly value: string; readonly unit: string };
}

async function read(meter: MeterSession, wanted: Wanted): Promise<Read> {
  const { logicalName: instanceId, attributeId } = wanted;
  const classId = wanted.classId ?? (await classOf(meter, instanceId));
  if (REGISTERS.includes(classId) && attributeId === VALUE) {
    const { data, ...scaled } = await meter.run(readRegister(classId, instanceId));
    return {
      classId,
      data,
      ...(scaled.value === undefined ? {} : { scaled: { ...scaled, value: scaled.value } }),
    };
  }
  return { classId, data: await meter.run(get({ classId, instanceId, attributeId })) };
}

/** Errors: `object-missing`. */
async function classOf(meter: MeterSession, logicalName: Uint8Array): Promise<number> {
  const objects = await meter.run(readObjectList('LN'));
  const name = obisText(logicalName);
  const found = objects.find((object) => obisText(object.logicalName) === name);
  if (found !== undefined) return found.classId;
  throw new OperatingError('object-missing', `this client sees no ${name} in the meter`, {
    hint: 'see what it has: normctl meter objects',
  });
}
