import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeptScalers } from '#protocol/cosem/known-scalers.ts';
import { KnownScalers } from '#protocol/cosem/known-scalers.ts';
import { QUIRKY_METERS, quirksOf } from '#protocol/cosem/meter-quirks.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { AttributeReference } from '#protocol/dlms/service.ts';
import type { CosemAnswers } from '../support/cosem-meter.ts';
import { nameOf, runProcedure } from '../support/cosem-meter.ts';

const REGISTER = 3;
const VOLTAGE = obisFrom('1-0:32.7.0');
const SCALER_UNIT = nameOf(REGISTER, VOLTAGE, 3);

interface Meter extends CosemAnswers {
  readonly asked: string[];
}

/** 230.1 V; what `firmware` is refused with where it tells none. */
function meterWith(name: string, firmware: string | undefined, scaler = -1): Meter {
  const asked: string[] = [];
  const texts = new Map<string, string | undefined>([
    [nameOf(1, obisFrom('0-0:42.0.0'), 2), name],
    [nameOf(1, obisFrom('1-0:0.2.0'), 2), firmware],
  ]);
  return {
    asked,
    get({ classId, instanceId, attributeId }: AttributeReference): Data | string {
      const attribute = nameOf(classId, instanceId, attributeId);
      asked.push(attribute);
      if (texts.has(attribute)) return octetsOf(texts.get(attribute));
      if (attribute !== SCALER_UNIT) return { type: 'double-long-unsigned', value: 2301 };
      const value: readonly Data[] = [
        { type: 'integer', value: scaler },
        { type: 'enum', value: 35 },
      ];
      return { type: 'structure', value };
    },
  };
}

function octetsOf(text: string | undefined): Data | string {
  if (text === undefined) return 'object-undefined';
  return { type: 'octet-string', value: new TextEncoder().encode(text) };
}

/** A session: what the voltage is, how often its scaler was asked for, and what outlives it. */
function session(
  meter: Meter,
  kept?: KeptScalers,
): { readonly value: string | undefined; readonly asked: number; readonly kept: KeptScalers } {
  const known = new KnownScalers(kept);
  runProcedure(known.recognise(), meter);
  runProcedure(known.readRegister(REGISTER, VOLTAGE), meter);
  const { value, unit } = runProcedure(known.readRegister(REGISTER, VOLTAGE), meter);
  assert.equal(unit, 'V');
  const asked = meter.asked.filter((attribute) => attribute === SCALER_UNIT).length;
  return { value, asked, kept: JSON.parse(JSON.stringify(known.kept)) as KeptScalers };
}

test('scaler and unit are asked for once, and known in the next session', () => {
  const first = session(meterWith('ABC1', '1.0'));
  assert.deepEqual([first.value, first.asked], ['230.1', 1]);
  const second = session(meterWith('ABC1', '1.0'), first.kept);
  assert.deepEqual([second.value, second.asked], ['230.1', 0]);
});

test('another meter or another firmware is asked anew, and its scaler holds', () => {
  const { kept } = session(meterWith('ABC1', '1.0'));
  for (const other of [meterWith('ABC2', '1.0', -2), meterWith('ABC1', '1.1', -2)]) {
    const { value, asked } = session(other, kept);
    assert.deepEqual([value, asked], ['23.01', 1]);
  }
});

test('a meter that does not tell its firmware is asked in every session', () => {
  const { kept } = session(meterWith('ABC1', undefined));
  const { value, asked } = session(meterWith('ABC1', undefined, -2), kept);
  assert.deepEqual([value, asked], ['23.01', 1]);
});

test('columns of a profile are asked for their scalers once, and only those that have one', () => {
  const meter = meterWith('ABC1', '1.0');
  const known = new KnownScalers();
  const clock = { classId: 8, instanceId: obisFrom('0-0:1.0.0'), attributeId: 2 };
  const voltage = { classId: REGISTER, instanceId: VOLTAGE, attributeId: 2 };
  const status = { ...voltage, classId: 4, attributeId: 4 };
  const columns = [clock, voltage, status];
  runProcedure(known.recognise(), meter);
  for (let session = 0; session < 2; session += 1) {
    const scalers = runProcedure(known.readScalers(columns), meter);
    assert.deepEqual(scalers, [undefined, { scaler: -1, unit: 'V' }, undefined]);
  }
  assert.equal(meter.asked.filter((attribute) => attribute === SCALER_UNIT).length, 1);
  const firmware = meter.asked.length;
  runProcedure(known.readRegister(REGISTER, VOLTAGE), meter);
  assert.deepEqual(meter.asked.slice(firmware), [nameOf(REGISTER, VOLTAGE, 2)]);
});

test('a meter is known by its logical device name, and so are its quirks', () => {
  const known = new KnownScalers();
  runProcedure(known.recognise(), meterWith('KAM1234567890123', undefined));
  assert.equal(known.deviceName, 'KAM1234567890123');
  assert.deepEqual(quirksOf(known.deviceName), { standardTime: true });
  assert.deepEqual(quirksOf('NRM1'), {});
  assert.deepEqual(quirksOf(''), {});
  for (const { manufacturer, quirks, seen } of QUIRKY_METERS) {
    assert.match(manufacturer, /^[A-Z]{3}$/);
    assert.ok(Object.keys(quirks).length > 0 && seen !== '', manufacturer);
  }
});
