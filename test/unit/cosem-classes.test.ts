import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import {
  INTERFACE_CLASSES,
  attributesOf,
  interfaceClassOf,
} from '#protocol/cosem/classes/lookup.ts';
import { namedValue } from '#protocol/cosem/classes/named-value.ts';
import type { Shape } from '#protocol/cosem/classes/interface-class.ts';
import { obisWords } from '#protocol/cosem/obis-words.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { unitCode } from '#protocol/cosem/units.ts';
import type { Data } from '#protocol/dlms/data.ts';

function shapeOf(classId: number, name: string, version = 0): Shape {
  const table = interfaceClassOf(classId, version);
  assert.ok(table);
  const attribute = attributesOf(table).find((one) => one.name === name);
  assert.ok(attribute, name);
  return attribute.shape;
}

const raw = ({ type }: Data): string => `raw ${type}`;

test('a class and version has one table, and what it marks is an attribute of it', () => {
  const seen = new Set<string>();
  for (const { classId, versions, attributes, dynamic = [], units = {} } of INTERFACE_CLASSES) {
    for (const version of versions) {
      assert.ok(!seen.has(`${classId} v${version}`), `${classId} v${version}`);
      seen.add(`${classId} v${version}`);
    }
    for (const name of [...dynamic, ...Object.keys(units)]) assert.ok(name in attributes, name);
    for (const unit of Object.values(units)) assert.notEqual(unitCode(unit), undefined, unit);
  }
  assert.equal(interfaceClassOf(3, 7), undefined);
  assert.equal(interfaceClassOf(8192, 0), undefined);
});

test('attributes and methods have the numbers of the standard', () => {
  const numbers: readonly (readonly [number, number, string, number])[] = [
    [3, 0, 'scaler_unit', 3],
    [5, 0, 'period', 8],
    [7, 1, 'profile_entries', 8],
    [8, 0, 'clock_base', 9],
    [15, 1, 'security_setup_reference', 9],
    [15, 2, 'current_user', 11],
    [18, 0, 'image_to_activate_info', 7],
    [20, 0, 'activate_passive_calendar_time', 10],
    [40, 2, 'last_confirmation_date_time', 13],
    [64, 1, 'certificates', 6],
    [70, 0, 'control_mode', 4],
    [71, 0, 'actions', 11],
    [72, 1, 'encryption_key_status', 14],
  ];
  for (const [classId, version, name, attributeId] of numbers) {
    const table = interfaceClassOf(classId, version);
    assert.ok(table);
    const found = attributesOf(table).find((one) => one.name === name);
    assert.equal(found?.attributeId, attributeId, `${classId} ${name}`);
  }
  assert.equal(interfaceClassOf(12, 1)?.methods.indexOf('reply_to_HLS_authentication'), 8 - 1);
  assert.equal(interfaceClassOf(70, 0)?.methods.indexOf('remote_reconnect'), 2 - 1);
});

test('a value has the names of its fields, its words, its times', () => {
  const state: Data = { type: 'enum', value: 2 };
  assert.equal(namedValue(shapeOf(70, 'control_state'), state, raw), 'ready for reconnection');
  const script: Data = {
    type: 'structure',
    value: [
      { type: 'octet-string', value: obisFrom('0-0:10.0.106') },
      { type: 'long-unsigned', value: 1 },
    ],
  };
  assert.deepEqual(namedValue(shapeOf(22, 'executed_script'), script, raw), {
    script_logical_name: '0-0:10.0.106*255',
    script_selector: 'raw long-unsigned',
  });
  const time: Data = { type: 'octet-string', value: fromHex('07EA0B15060E1E0000FFC400') };
  assert.equal(namedValue(shapeOf(8, 'time'), time, raw), '2026-11-21T14:30:00+01:00');
});

test('what a meter answers instead is shown as it is, and no answer makes it throw', () => {
  const odd: readonly Data[] = [
    { type: 'null-data', value: null },
    { type: 'enum', value: 99 },
    { type: 'long64', value: -1n },
    { type: 'octet-string', value: new Uint8Array(12).fill(0xff) },
    { type: 'octet-string', value: new Uint8Array(12) },
    { type: 'octet-string', value: new Uint8Array(0) },
    { type: 'structure', value: [] },
    { type: 'array', value: [{ type: 'structure', value: [{ type: 'bcd', value: 1 }] }] },
  ];
  for (const table of INTERFACE_CLASSES) {
    for (const { shape } of attributesOf(table)) {
      for (const data of odd) assert.notEqual(namedValue(shape, data, raw), undefined);
    }
  }
  assert.equal(
    namedValue(shapeOf(70, 'control_state'), { type: 'enum', value: 9 }, raw),
    'raw enum',
  );
  const short: Data = { type: 'structure', value: [{ type: 'integer', value: 0 }] };
  assert.equal(namedValue(shapeOf(3, 'scaler_unit'), short, raw), 'raw structure');
});

test('an object is named by its groups of values; what no rule tells has no name', () => {
  const names: readonly (readonly [string, string | undefined])[] = [
    ['0-0:1.0.0', 'clock'],
    ['0-1:24.2.1', 'M-Bus value 1, channel 1'],
    ['1-0:1.8.0', 'active energy import'],
    ['1-1:1.8.0', 'active energy import'],
    ['1-0:2.8.2', 'active energy export, tariff 2'],
    ['1-0:1.8.0*1', 'active energy import, billing period 1'],
    ['1-0:21.7.0', 'active power import L1'],
    ['1-0:32.7.0', 'voltage L1'],
    ['1-0:71.7.5', 'current L3, harmonic 5'],
    ['1-0:1.6.0', 'active power import, maximum demand'],
    ['1-0:14.7.0', 'frequency'],
    ['1-0:52.32.0', 'voltage L2: times under limit'],
    ['6-0:1.0.0', 'heat energy'],
    ['1-0:200.7.0', undefined],
    ['1-0:1.8.128', undefined],
    ['0-0:128.0.0', undefined],
  ];
  for (const [obis, words] of names) assert.equal(obisWords(obisFrom(obis)), words, obis);
});
