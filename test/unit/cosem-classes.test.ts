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
import { COMPANIONS } from '#protocol/cosem/companions/lookup.ts';
import { obisWords, standardWords } from '#protocol/cosem/obis-words.ts';
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

/** Its second method has another name, and does more, in version 1. */
const SECURITY_SETUP = 64;

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

test('the numbers of a class have no gap and its names no double', () => {
  for (const table of INTERFACE_CLASSES) {
    const label = `${table.classId} v${table.versions.join()}`;
    const attributes = attributesOf(table);
    assert.equal(attributes[0]?.name, 'logical_name', label);
    assert.deepEqual(
      attributes.map(({ attributeId }) => attributeId),
      attributes.map((_, index) => index + 1),
      label,
    );
    const methods = table.methods.filter((name) => name !== '');
    for (const names of [attributes.map(({ name }) => name), methods]) {
      assert.equal(new Set(names).size, names.length, label);
      for (const name of names) assert.match(name, /^[A-Za-z][A-Za-z0-9_-]*$/, label);
    }
    assert.notEqual(table.methods.at(-1), '', label);
    assert.deepEqual(
      table.versions,
      [...table.versions].sort((a, b) => a - b),
      label,
    );
  }
});

test('a later version of a class keeps the numbers of the earlier', () => {
  for (const { classId, versions } of INTERFACE_CLASSES) {
    const [later] = versions;
    const earlier = INTERFACE_CLASSES.findLast(
      (one) => one.classId === classId && (one.versions[0] ?? 0) < (later ?? 0),
    );
    const now = interfaceClassOf(classId, later ?? -1);
    if (earlier === undefined || now === undefined || classId === SECURITY_SETUP) continue;
    const kept = attributesOf(earlier).map(({ name }) => name);
    const names = attributesOf(now).map(({ name }) => name);
    assert.deepEqual(names.slice(0, kept.length), kept, `${classId} v${later}`);
    assert.deepEqual(now.methods.slice(0, earlier.methods.length), earlier.methods);
  }
});

test('the classes that a meter shows have a table in each version of theirs', () => {
  const shown: readonly (readonly [string, number, ...number[]])[] = [
    ['Data', 1, 0],
    ['Register', 3, 0],
    ['Extended register', 4, 0],
    ['Demand register', 5, 0],
    ['Register activation', 6, 0],
    ['Profile generic', 7, 0, 1],
    ['Clock', 8, 0],
    ['Script table', 9, 0],
    ['Schedule', 10, 0],
    ['Special days table', 11, 0],
    ['Association SN', 12, 0, 1, 2, 3, 4],
    ['Association LN', 15, 0, 1, 2, 3],
    ['SAP assignment', 17, 0],
    ['Image transfer', 18, 0],
    ['IEC local port setup', 19, 0, 1],
    ['Activity calendar', 20, 0],
    ['Register monitor', 21, 0],
    ['Single action schedule', 22, 0],
    ['IEC HDLC setup', 23, 0, 1],
    ['M-Bus slave port setup', 25, 0],
    ['Utility tables', 26, 0],
    ['Modem configuration', 27, 0, 1],
    ['Auto answer', 28, 0, 2],
    ['Auto connect', 29, 1, 2],
    ['Data protection', 30, 0],
    ['Push setup', 40, 0, 1, 2],
    ['TCP-UDP setup', 41, 0],
    ['IPv4 setup', 42, 0],
    ['MAC address setup', 43, 0],
    ['PPP setup', 44, 0],
    ['GPRS modem setup', 45, 0],
    ['SMTP setup', 46, 0],
    ['GSM diagnostic', 47, 0, 1, 2],
    ['IPv6 setup', 48, 0],
    ['Register table', 61, 0],
    ['Compact data', 62, 0, 1],
    ['Status mapping', 63, 0],
    ['Security setup', 64, 0, 1],
    ['Parameter monitor', 65, 0, 1],
    ['Sensor manager', 67, 0],
    ['Arbitrator', 68, 0],
    ['Disconnect control', 70, 0],
    ['Limiter', 71, 0],
    ['M-Bus client', 72, 0, 1],
    ['M-Bus master port setup', 74, 0],
    ['NTP setup', 100, 0],
    ['Account', 111, 0],
    ['Credit', 112, 0],
    ['Charge', 113, 0],
    ['Token gateway', 115, 0],
    ['Function control', 122, 0],
    ['Array manager', 123, 0],
    ['Communication port protection', 124, 0],
    ['LTE monitoring', 151, 1],
  ];
  for (const [name, classId, ...versions] of shown) {
    for (const version of versions) assert.equal(interfaceClassOf(classId, version)?.name, name);
  }
  assert.equal(new Set(INTERFACE_CLASSES.map(({ classId }) => classId)).size, shown.length);
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
    [28, 2, 'list_of_allowed_callers', 7],
    [30, 0, 'required_protection', 6],
    [47, 2, 'capture_time', 8],
    [48, 0, 'neighbor_discovery_setup', 10],
    [62, 1, 'capture_method', 6],
    [65, 1, 'parameter_values', 8],
    [67, 0, 'processed_value_actions', 15],
    [68, 0, 'last_outcome', 6],
    [111, 0, 'max_provision_period', 19],
    [113, 0, 'proportion', 13],
    [124, 0, 'cumulative_failed_attempts', 10],
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
    ['7-0:13.2.0', 'gas volume forward (converter), at base conditions'],
    ['7-0:1.0.2', 'gas volume forward, undisturbed, tariff 2'],
    ['8-0:1.0.0', 'cold water volume'],
    ['4-0:2.0.0', 'heat cost: rated integral'],
    ['6-0:1.4.0', undefined],
    ['1-0:124.7.0', 'line voltage L1-L2'],
    ['0-0:96.6.3', 'battery: voltage'],
  ];
  for (const [obis, words] of names) assert.equal(obisWords(obisFrom(obis)), words, obis);
});

test('a country names what the general rules do not, and others where all agree', () => {
  const names: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['1-3:0.2.8', undefined, 'version of the P1 output'],
    ['0-1:24.2.3', 'BE', 'gas volume, not corrected, channel 1'],
    ['0-0:96.1.4', 'BE', 'version of the P1 output'],
    ['0-0:96.1.4', 'IN', 'year of manufacture'],
    ['0-0:96.1.4', undefined, undefined],
    ['0-0:94.91.10', undefined, 'name plate'],
    ['0-0:94.34.70', 'ES', 'demand close to the contracted power: threshold'],
    ['0-0:94.34.70', 'IT', 'demand close to the contracted power: threshold'],
    ['0-0:96.15.1', 'FR', 'breaker openings'],
    ['0-0:96.15.1', 'IN', 'event sequence: current'],
    ['0-0:96.15.1', undefined, undefined],
    ['1-0:1.8.0', 'FR', 'active energy import'],
    ['0-0:94.39.7', undefined, 'valve: cause of closure'],
    ['1-1:0.2.129', 'NO', 'version of the list'],
  ];
  for (const [obis, country, words] of names) {
    assert.equal(obisWords(obisFrom(obis), country), words, `${obis} ${country}`);
  }
});

test('a companion has a source, codes that exist, and nothing that the rules say as well', () => {
  for (const { countries, title, source, objects } of COMPANIONS) {
    assert.ok(title !== '' && source !== '' && countries.length > 0, title);
    for (const country of countries) assert.match(country, /^[A-Z]{2}$/);
    for (const [code, words] of Object.entries(objects)) {
      assert.match(words, /^[A-Za-z][\w ,:()/-]*$/, code);
      const name = obisFrom(code.replace('-n:', '-1:'));
      assert.notEqual(standardWords(name), words, `${title} ${code}`);
    }
  }
});
