import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { ACCESS_REQUEST, ACCESS_RESPONSE } from '#protocol/dlms/access.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import {
  CONFIRMED_SERVICE_ERROR,
  decodeExceptionResponse,
  encodeExceptionResponse,
  exceptionWords,
  serviceErrorWords,
} from '#protocol/dlms/errors.ts';
import { EVENT_NOTIFICATION_REQUEST } from '#protocol/dlms/event-notification.ts';
import { decodeGeneralBlock, encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { GET_REQUEST } from '#protocol/dlms/get.ts';
import type { Apdu } from '#protocol/dlms/layout.ts';
import { refusalOf } from '#protocol/dlms/results.ts';
import { selectionOf, selectiveAccessFrom } from '#protocol/dlms/selective-access.ts';
import {
  INFORMATION_REPORT_REQUEST,
  READ_REQUEST,
  WRITE_RESPONSE,
} from '#protocol/dlms/short-names.ts';
import { SERVICE_APDUS } from '../support/service-apdus.ts';
import { apdusOf, sessions } from '../support/sessions.ts';
import { meterVectors } from '../support/vectors.ts';

const KINDS = ['Get', 'Set', 'Action'].flatMap((service) => [
  `apdu/${service}Request`,
  `apdu/${service}Response`,
]);

/** Made wrong on purpose, by whoever tested refusals with them; and what is wrong. */
const WRONG: Readonly<Record<string, string>> = {
  'u9n-action-test_any_other_type_than_normal_raises_notimplementederror.data-73': 'trailing-bytes',
  'u9n-action-test_wrong_request_type_raises_valueerror.data-49': 'trailing-bytes',
  'u9n-action-test_wrong_tag_raises_valueerror.data-43': 'trailing-bytes',
  'u9n-action-test_wrong_tag_raises_valueerror.data-68': 'trailing-bytes',
  'u9n-action-test_wrong_type_raises_valueerror.data-161': 'truncated',
  'u9n-get-test_get_with_list.data-146': 'trailing-bytes',
  'u9n-get-test_invalid_type_raises_valueerror.data-151': 'unknown-choice',
  'u9n-get-test_wrong_length_data_raises_valueerror.data-267': 'truncated',
  'u9n-get-test_wrong_length_data_raises_valueerror.data-329': 'truncated',
  'u9n-get-test_wrong_request_type_raises_valueerror.data-173': 'unknown-choice',
  'u9n-get-test_wrong_request_type_raises_valueerror.data-201': 'truncated',
  'u9n-get-test_wrong_request_type_raises_valueerror.data-46': 'trailing-bytes',
  'u9n-get-test_wrong_tag_raises_valueerror.data-168': 'truncated',
  'u9n-get-test_wrong_tag_raises_valueerror.data-196': 'truncated',
  'u9n-get-test_wrong_tag_raises_valueerror.data-226': 'trailing-bytes',
  'u9n-get-test_wrong_tag_raises_valueerror.data-288': 'trailing-bytes',
  'u9n-get-test_wrong_tag_raises_valueerror.data-349': 'trailing-bytes',
  'u9n-get-test_wrong_tag_raises_valueerror.data-41': 'truncated',
  'u9n-get-test_wrong_tag_raises_valueerror.data-67': 'truncated',
  'u9n-get-test_wrong_type_raises_valueerror.data-231': 'trailing-bytes',
  'u9n-get-test_wrong_type_raises_valueerror.data-293': 'trailing-bytes',
  'u9n-get-test_wrong_type_raises_valueerror.data-354': 'trailing-bytes',
  'u9n-get-test_wrong_type_raises_valueerror.data-72': 'truncated',
  'u9n-set-test_set_request_with_block_raises_not_implemented_error.data-54': 'trailing-bytes',
  'u9n-set-test_set_request_with_list_first_block_raises_not_implemented_block.data-64':
    'trailing-bytes',
  'u9n-set-test_set_with_list_raises_not_implemented_error.data-59': 'truncated',
  'u9n-set-test_wrong_type_raises_value_error.data-32': 'truncated',
};

for (const { id, hex, gurux_xml: xml = '' } of meterVectors('dlms', KINDS)) {
  const bytes = fromHex(hex);
  const codec = SERVICE_APDUS[bytes[0] ?? -1];
  const wrong = WRONG[id];

  if (wrong !== undefined) {
    test(`${id} is refused`, () => {
      assert.throws(() => codec?.decode(bytes), { code: wrong });
    });
    continue;
  }

  test(`${id} is decoded and encoded back to the same bytes`, () => {
    assert.ok(codec);
    assert.equal(toHex(codec.encode(codec.decode(bytes))), toHex(bytes));
  });

  test(`${id} reads as another implementation reads it`, () => {
    const ours = fieldsOf(codec?.decode(bytes));
    for (const [name, values] of Object.entries(statedIn(xml))) {
      assert.deepEqual(ours[name], values, name);
    }
  });

  test(`${id} cut anywhere is refused with a code`, () => {
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => codec?.decode(bytes.subarray(0, length)), OperatingError);
    }
  });
}

/** The other implementation's elements that are a field of ours, and how ours is called. */
const ELEMENTS: Readonly<Record<string, string>> = {
  InvokeIdAndPriority: 'invokeIdAndPriority',
  ClassId: 'classId',
  InstanceId: 'instanceId',
  AttributeId: 'attributeId',
  MethodId: 'methodId',
  BlockNumber: 'blockNumber',
  LastBlock: 'lastBlock',
  RawData: 'rawData',
};

type FieldValues = Record<string, readonly string[]>;

/** Values by our field's name, in the order of the bytes. */
function statedIn(xml: string): FieldValues {
  const stated: Record<string, string[]> = {};
  for (const [, element = '', value = ''] of xml.matchAll(/<(\w+) Value="(\w*)"/g)) {
    const name = ELEMENTS[element];
    if (name !== undefined) (stated[name] ??= []).push(normal(value));
  }
  return stated;
}

function fieldsOf(value: unknown): FieldValues {
  const fields: Record<string, string[]> = {};
  const walk = (one: unknown, name: string): void => {
    if (one instanceof Uint8Array) (fields[name] ??= []).push(normal(toHex(one)));
    else if (typeof one === 'number') (fields[name] ??= []).push(normal(one.toString(16)));
    else if (typeof one === 'boolean') (fields[name] ??= []).push(normal(one ? '1' : '0'));
    else if (Array.isArray(one)) for (const element of one) walk(element, name);
    else if (typeof one === 'object' && one !== null) {
      for (const [key, member] of Object.entries(one)) walk(member, key);
    }
  };
  walk(value, '');
  return fields;
}

/** Hexadecimal without its leading zeros, which the oracle pads as it likes. */
function normal(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}

for (const recorded of sessions()) {
  test(`${recorded.id}: every service APDU in clear comes back to the same bytes`, () => {
    for (const { bytes } of apdusOf(recorded)) {
      const codec = SERVICE_APDUS[bytes[0] ?? -1];
      if (bytes[0] === APDU_TAG.generalBlockTransfer) {
        assert.equal(toHex(encodeGeneralBlock(decodeGeneralBlock(bytes))), toHex(bytes));
      } else if (codec !== undefined) {
        const { value, length } = codec.decodeLeading(bytes);
        assert.equal(toHex(codec.encode(value)), toHex(bytes.subarray(0, length)));
        assert.equal(bytes.length - length, hasRubbish(bytes) ? 18 : 0);
      }
    }
  });
}

/** A server written in C sends the clock's time with 18 bytes of its buffer behind it. */
function hasRubbish(bytes: Uint8Array): boolean {
  return bytes.length === 36 && toHex(bytes).startsWith('c401c100090c07ea0b150601');
}

const HEX_FORMS: readonly (readonly [string, Apdu<unknown>, string])[] = [
  // IEC 62056-5-3, 8.4 by hand: long-invoke-id, no time, one get, null-data for it.
  ['an ACCESS request', ACCESS_REQUEST, 'd940000001000101000301000108' + '00ff020100'],
  ['an ACCESS response', ACCESS_RESPONSE, 'da4000000100000106000000640101' + '00'],
  [
    'an event notification with its time',
    EVENT_NOTIFICATION_REQUEST,
    'c2010c07ea0b15060115370000000000070000630' + '100ff020500000001',
  ],
  ['an information report of a short name', INFORMATION_REPORT_REQUEST, '18000102fa000111' + '05'],
  ['a parameterised read', READ_REQUEST, '050104fa00010203' + '110112' + '00021105'],
  ['a write and its two answers', WRITE_RESPONSE, '0d02000103'],
];

for (const [title, codec, hex] of HEX_FORMS) {
  test(`${title} is read and written alike`, () => {
    assert.equal(toHex(codec.encode(codec.decode(fromHex(hex)))), hex);
  });
}

test('an exception names its errors in words, and the counter it wants', () => {
  const plain = decodeExceptionResponse(fromHex('d80102'));
  assert.equal(exceptionWords(plain), 'service-not-allowed, service-not-supported');
  const counted = decodeExceptionResponse(fromHex('d8020600000400'));
  assert.equal(counted.invocationCounter, 0x400);
  assert.equal(toHex(encodeExceptionResponse(counted)), 'd8020600000400');
  assert.throws(() => decodeExceptionResponse(fromHex('d8010200')), { code: 'trailing-bytes' });
});

test('a confirmed service error names service, group and error', () => {
  const error = CONFIRMED_SERVICE_ERROR.decode(fromHex('0e010601'));
  assert.equal(serviceErrorWords(error), 'initiate: dlms-version-too-low (initiate)');
});

test('a count of more elements than bytes is refused before anything is made', () => {
  const claimed = fromHex('c003c1847fffffff0008');
  assert.throws(() => GET_REQUEST.decode(claimed), { code: 'bad-count' });
});

test('a selection by range or entry is read as it was written, any other as it stands', () => {
  const column = { classId: 8, instanceId: fromHex('0000010000ff'), attributeId: 2, dataIndex: 0 };
  const from = { type: 'octet-string', value: fromHex('07ea0b150600000000800000') } as const;
  const range = { kind: 'range', restricting: column, from, to: from, columns: [column] } as const;
  const entry = { kind: 'entry', fromEntry: 1, toEntry: 0, fromColumn: 1, toColumn: 0 } as const;
  const other = { kind: 'other', selector: 3, parameters: from } as const;
  for (const access of [range, entry, other]) {
    assert.deepEqual(selectiveAccessFrom(selectionOf(access)), access);
  }
});

test('a refusal tells what is missing from what is denied', () => {
  assert.equal(refusalOf('read-write-denied').code, 'access-denied');
  assert.equal(refusalOf('object-undefined').code, 'object-missing');
  assert.equal(refusalOf('temporary-failure').code, 'temporary-failure');
  assert.equal(refusalOf('result 77').code, 'access-failed');
});
