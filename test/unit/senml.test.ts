import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as encodeCbor } from 'cbor2';
import { failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import type { Observation, TimeMark } from '#reading/reading.ts';
import { isoTimeOf, jsonScalarOf } from '#reading/json.ts';
import { decodePack } from '#reading/senml-decode.ts';
import { decodeJsonPack, jsonOfPack } from '#reading/senml-json.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { decodeStored, encodeStored } from '#reading/stored.ts';

const TIME: TimeMark = { second: 1_793_526_120, nanosecond: 0, clock: 'device', trust: 'trusted' };
const KEY = { gateway: 'gw1', stream: 'meter1', epoch: 1_793_500_000, sequence: 7, count: 1 };

function observation(object: string, raw: number, scaler: number, unit: string): Observation {
  return { source: 'meter1', time: TIME, quality: [], readings: [{ object, raw, scaler, unit }] };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return failureOf(error).code;
  }
  return 'none';
}

// RFC 8428, 6: the example of the CBOR representation, in full.
const RFC_CBOR = [
  '87 a7 21 781b 75726e3a6465763a6f773a3130653230373361303130383030363a', // bn
  '22 fb41d303a15b001062 23 6141 20 05 00 67766f6c74616765 01 6156 02 fb405e066666666666',
  'a3 00 6763757272656e74 06 24 02 fb3ff3333333333333',
  'a3 00 6763757272656e74 06 23 02 fb3ff4cccccccccccd',
  'a3 00 6763757272656e74 06 22 02 fb3ff6666666666666',
  'a3 00 6763757272656e74 06 21 02 f93e00',
  'a3 00 6763757272656e74 06 20 02 fb3ff999999999999a',
  'a3 00 6763757272656e74 06 00 02 fb3ffb333333333333',
].join(' ');

test('the CBOR example of RFC 8428 decodes to its seven resolved records', () => {
  const { key, records } = decodePack(fromHex(RFC_CBOR));
  assert.equal(key, undefined);
  assert.deepEqual(
    records.map(({ name, unit, raw, time }) => [name, unit, raw, time.second, time.nanosecond]),
    [
      ['voltage', 'V', 120.1, 0],
      ['current', 'A', 1.2, -5],
      ['current', 'A', 1.3, -4],
      ['current', 'A', 1.4, -3],
      ['current', 'A', 1.5, -2],
      ['current', 'A', 1.6, -1],
      ['current', 'A', 1.7, 0],
    ].map(([name, unit, value, at]) => [
      `urn:dev:ow:10e2073a0108006:${String(name)}`,
      unit,
      value,
      1_276_020_076 + Number(at),
      1_000_000, // 1.276020076001e+9, by its shortest digits
    ]),
  );
});

test('the JSON examples of RFC 8428 resolve: base fields, times and all value types', () => {
  const several = decodeJsonPack(
    '[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},' +
      '{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]',
  );
  assert.deepEqual(
    several.records.map(({ unit, raw, time }) => [unit, raw, time.second]),
    [
      ['%RH', 20, 1_320_067_464],
      ['lon', 24.30621, 1_320_067_464],
      ['lat', 60.07965, 1_320_067_464],
      ['%RH', 20.3, 1_320_067_524],
    ],
  );
  const values = decodeJsonPack(
    '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},' +
      '{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]',
  );
  assert.deepEqual(
    values.records.map(({ raw, relative }) => [raw, relative]),
    [
      [23.1, true],
      ['Machine Room', true],
      [false, true],
      [Uint8Array.of(0x68, 0x69, 0x20, 0x0a), true],
    ],
  );
});

test('a kilowatt-hour register travels in its digits, marked as a secondary unit', () => {
  const pack = encodePack(KEY, [
    encodeRecords(observation('1-0:1.8.0*255', 123_456_789, -3, 'kWh')),
  ]);
  assert.equal(
    jsonOfPack(pack),
    '[{"bver":26,"bn":"gw1/meter1/","k":[1793500000,7,1],"bt":1793526120,' +
      '"n":"1-0:1.8.0.255","u":"kWh","v":123456.789}]',
  );
});

test('a pack is marked for secondary units when only a later observation has one', () => {
  const volts = encodeRecords(observation('1-0:32.7.0*255', 2301, -1, 'V'));
  const energy = encodeRecords(observation('1-0:1.8.0*255', 5, 0, 'Wh'));
  const first = (entries: readonly (typeof volts)[]): string =>
    jsonOfPack(encodePack({ ...KEY, count: entries.length }, entries)).split('\n')[0] ?? '';
  assert.doesNotMatch(first([volts, volts]), /bver/);
  assert.match(first([volts, energy]), /^\[\{"bver":26,/);
  assert.equal(first([energy, volts]).split('bver').length, 2, 'once');
});

test('a unit without registration stands in a label of ours, not in u', () => {
  const pack = encodePack(KEY, [encodeRecords(observation('241/rocof', 1, -2, 'Hz/s'))]);
  assert.match(jsonOfPack(pack), /"ux":"Hz\/s"/);
  assert.equal(decodePack(pack).records[0]?.unit, 'Hz/s');
});

test('a clock never set gives no date, and the order of the next observation is untouched', () => {
  const early = {
    ...observation('a', 1, 0, ''),
    time: { ...TIME, second: 125, clock: 'gateway', trust: 'untrusted' },
  } as const;
  const pack = decodePack(
    encodePack({ ...KEY, count: 2 }, [
      encodeRecords(early),
      encodeRecords(observation('a', 2, 0, '')),
    ]),
  );
  assert.deepEqual(
    pack.records.map(({ time, relative }) => [time.second, time.trust, relative]),
    [
      [0, 'untrusted', true],
      [TIME.second, 'trusted', false],
    ],
  );
});

test('no value of a PMU goes as text, since SenML has no NaN', () => {
  const pack = encodePack(KEY, [encodeRecords(observation('241/frequency', NaN, 0, 'Hz'))]);
  assert.equal(decodePack(pack).records[0]?.raw, 'NaN');
});

/** Finite in the meter's own numbers; what they mean is not. */
const BEYOND_DOUBLES = [
  ['a float', 1.5e300, 10],
  ['a float below zero', -1.5e300, 10],
  ['the largest integer of a double', Number.MAX_VALUE, 1],
  ['an integer', 7, 400],
  ['nothing, of a unit that there is not', 0, 400],
] as const;

for (const [what, raw, scaler] of BEYOND_DOUBLES) {
  test(`${what} that its scaler makes no number is refused, and never Infinity or null`, () => {
    assert.equal(
      codeOf(() => encodeRecords(observation('1-0:1.8.0*255', raw, scaler, 'Wh'))),
      'unencodable',
    );
  });
}

test('the largest and the smallest that a double holds are told', () => {
  for (const [raw, scaler, value] of [
    [1.5, 300, 1.5e300],
    [1.5e300, -300, 1.5],
    [5e-324, 0, 5e-324],
  ] as const) {
    const pack = encodePack(KEY, [encodeRecords(observation('1-0:1.8.0*255', raw, scaler, 'Wh'))]);
    assert.equal(decodePack(pack).records[0]?.raw, value);
    assert.equal(decodeJsonPack(jsonOfPack(pack)).records[0]?.raw, value);
  }
});

test('a number that is none is not told as null in JSON, whoever wrote it', () => {
  for (const value of [Infinity, -Infinity, NaN]) {
    const pack = encodeCbor([
      new Map<number, unknown>([
        [0, 'a'],
        [2, value],
      ]),
    ]);
    assert.equal(
      codeOf(() => jsonOfPack(pack)),
      'unencodable',
    );
  }
  assert.equal(
    codeOf(() => decodeJsonPack('[{"n":"a","v":1e999}]')),
    'bad-number',
  );
});

test("half of a surrogate pair in a meter's text is told as U+FFFD, and the rest stays", () => {
  const [told, kept] = ['\ud83d meter \udc00', '\ufffd meter \ufffd'];
  const readings = [{ object: '0-0:96.1.0*255', raw: told, scaler: 0, unit: '' }];
  const said: Observation = { source: 'meter1', time: TIME, quality: [], readings };
  assert.equal(decodeStored(encodeStored(said)).readings[0]?.raw, kept);
  const pack = encodePack(KEY, [encodeRecords(said)]);
  assert.equal(decodePack(pack).records[0]?.raw, kept);
  assert.equal(decodeJsonPack(jsonOfPack(pack)).records[0]?.raw, kept);
});

test('a reading of a meter takes less than thirty bytes', () => {
  const readings = [1, 2, 3, 4, 21, 22, 41, 42, 61, 62].flatMap((c) => [
    { object: `1-0:${c}.8.0*255`, raw: 12_345_678 + c, scaler: 0, unit: c % 4 < 3 ? 'Wh' : 'varh' },
    { object: `1-0:${c}.7.0*255`, raw: 2301 + c, scaler: -1, unit: 'W' },
  ]);
  const entry = encodeRecords({ source: 'meter1', time: TIME, quality: [], readings });
  assert.equal(entry.recordCount, 20);
  assert.ok(encodePack(KEY, [entry]).length < 600);
});

test('what SenML forbids is refused with a code', () => {
  const record = (...fields: (readonly [number | string, unknown])[]): Uint8Array =>
    encodeCbor([new Map(fields)]);
  const n = [0, 'a'] as const;
  const v = [2, 1] as const;
  assert.equal(
    codeOf(() => decodePack(record(n, v))),
    'none',
  );
  for (const [code, bytes] of [
    ['no-value', record(n)],
    ['bad-field', record(n, v, [3, 'two values'])],
    ['bad-field', record(n, [2, 'text'])],
    ['bad-field', record([0, 5], v)],
    ['bad-name', record([0, '/a'], v)],
    ['bad-name', record([0, 'a b'], v)],
    ['bad-label', record(n, v, [99, 0])],
    ['bad-label', record(n, v, ['bn', 'x'])],
    ['not-understood', record(n, v, ['new_', 0])],
    ['not-understood', record(n, v, [-1, 42])],
    ['bad-number', record(n, [2, Infinity])],
    ['bad-number', record(n, v, [6, 1e18])],
    ['bad-cbor', fromHex('81 a3 00 61 61 02 01 02 01')],
    ['bad-cbor', fromHex('81 a2 00 62 c3 28 02 01')],
    ['bad-cbor', fromHex('a0')],
    ['truncated', fromHex('9b ff ff ff ff ff ff ff ff')],
    ['truncated', fromHex('81 a2 00 7b 7f ff ff ff ff ff ff ff')],
    ['unsupported', fromHex('9f ff')],
    ['too-deep', fromHex(`81 a3 00 61 61 02 01 61 78 ${'81'.repeat(1000)} 00`)],
    ['trailing-bytes', fromHex('81 a2 00 61 61 02 01 00')],
    ['too-large', new Uint8Array((1 << 20) + 1)],
  ] as const) {
    assert.equal(
      codeOf(() => decodePack(bytes)),
      code,
    );
  }
  assert.equal(
    codeOf(() => encodePack(KEY, [])),
    'unencodable',
  );
});

test('a time in JSON keeps every decimal it has, and a year past 9999 is told as a second', () => {
  const times = [
    [1_795_262_400, 0],
    [1_795_262_400, 20_000_000],
    [0, 1],
    [253_402_300_799, 999_999_999],
    [253_402_300_800, 0],
    [2 ** 53, 0],
  ].map(([second = 0, nanosecond = 0]) => isoTimeOf({ second, nanosecond }));
  assert.deepEqual(times, [
    '2026-11-21T12:00:00Z',
    '2026-11-21T12:00:00.02Z',
    '1970-01-01T00:00:00.000000001Z',
    '9999-12-31T23:59:59.999999999Z',
    '@253402300800',
    '@9007199254740992',
  ]);
  const values = [1.5, NaN, Infinity, 2n ** 60n, Uint8Array.of(1, 255), 'text', true];
  assert.deepEqual(values.map(jsonScalarOf), [
    1.5,
    null,
    null,
    '1152921504606846976',
    '01ff',
    'text',
    true,
  ]);
});
