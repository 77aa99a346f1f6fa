import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#bytes/hex.ts';
import type { Shape } from '#protocol/cosem/classes/interface-class.ts';
import { fields, listOf, words } from '#protocol/cosem/classes/interface-class.ts';
import { namedValue } from '#protocol/cosem/classes/named-value.ts';
import { writtenValue } from '#protocol/cosem/classes/written-value.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';

/** What goes over the line, in hex. */
function octetsOf(shape: Shape, written: unknown, present?: Data): string {
  return toHex(encodeData(writtenValue(shape, written, present)));
}

test('a value has the type of its class', () => {
  const modes = words('off', 'on');
  const entry = fields({ from: 'moment', id: 'unsigned', object: 'logical-name', mode: modes });
  const written = { from: '2026-02-28T06:15+01:00', id: 7, object: '1-0:1.8.0*255', mode: 'on' };
  const moment = '090c07ea021c06060f0000ffc4ff';
  const cases: readonly (readonly [Shape, unknown, string])[] = [
    ['boolean', true, '0301'],
    ['unsigned', 255, '11ff'],
    ['integer', -128, '0f80'],
    ['long', '-2', '10fffe'],
    ['long64-unsigned', '18446744073709551615', '15ffffffffffffffff'],
    ['octet-string', '0a ff', '09020aff'],
    ['visible-string', 42, '0a023432'],
    ['bit-string', '0b101', '0403a0'],
    ['moment', 'ffff', '0902ffff'],
    ['moment', '2026-02-28T06:15+01:00', moment],
    [modes, 1, '1601'],
    [listOf('long-unsigned'), [1, 2], '0102120001120002'],
    [entry, written, `0204${moment}110709060100010800ff1601`],
  ];
  for (const [shape, value, octets] of cases) assert.equal(octetsOf(shape, value), octets);
});

test('where the class leaves the type open, it is that of the value that is there', () => {
  const present: Data = {
    type: 'structure',
    value: [
      { type: 'long', value: 1 },
      { type: 'array', value: [{ type: 'unsigned', value: 1 }] },
      { type: 'octet-string', value: new Uint8Array(12) },
    ],
  };
  const written = [-1, [1, 2, 3], '2026-11-21T00:00'];
  const octets = '020310ffff0103110111021103090c07ea0b1506000000008000ff';
  assert.equal(octetsOf('choice', written, present), octets);
  assert.equal(writtenValue(words('a'), 'a', { type: 'unsigned', value: 9 }).type, 'unsigned');
});

test('what is shown by names can be written as it is shown', () => {
  const shape = fields({ when: 'moment', what: listOf(words('none', 'some')), n: 'long' });
  const written = { when: '2026-11-21T06:15:30+01:00', what: ['some', 'none'], n: -5 };
  const shown = namedValue(shape, writtenValue(shape, written), ({ value }) => value);
  assert.deepEqual(shown, written);
});

test('what an attribute cannot have is refused, with its field', () => {
  const pair = fields({ a: 'unsigned', b: 'boolean' });
  const cases: readonly (readonly [Shape, unknown, string])[] = [
    ['unsigned', 256, 'value'],
    ['unsigned', -1, 'value'],
    ['unsigned', 1.5, 'value'],
    ['boolean', 1, 'value'],
    ['octet-string', 'xyz', 'value'],
    ['date', '0102', 'value'],
    ['moment', '2026-02-30T00:00', 'value'],
    ['moment', '2026-13-01T00:00', 'value'],
    ['bit-string', '0b2', 'value'],
    ['choice', 1, 'value'],
    [words('off'), 'on', 'value'],
    [pair, { a: 1 }, 'value'],
    [pair, { a: 1, b: true, c: 1 }, 'value'],
    [pair, { a: 300, b: true }, 'value.a'],
    [listOf(pair), [{ a: 1, b: 0 }], 'value[0].b'],
  ];
  for (const [shape, written, field] of cases) {
    assert.throws(() => writtenValue(shape, written), { code: 'bad-value', field });
  }
});
