import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '#bytes/cursor.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { ACTION_RESPONSE, ACTION_RESULT } from '#protocol/dlms/action.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { GET_RESPONSE } from '#protocol/dlms/get.ts';
import type { Layout } from '#protocol/dlms/layout.ts';
import { DATA_LIST, encodeAs, sequenceOf } from '#protocol/dlms/layout.ts';
import { joined } from '#protocol/dlms/octets.ts';
import { GET_DATA_RESULT } from '#protocol/dlms/results.ts';
import { ActionService } from '#protocol/dlms/server/served-action.ts';
import { GetService } from '#protocol/dlms/server/served-get.ts';
import { SetService } from '#protocol/dlms/server/served-set.ts';
import { SET_RESPONSE } from '#protocol/dlms/set.ts';

/** More than a length of one byte can say. */
const MANY = Array.from({ length: 200 }, (_, index) => index);
const INSTANCE = { classId: 1, instanceId: obisFrom('0-0:96.1.0*255') };
const invokeIdAndPriority = 0x41;
const act = () => ({ result: 'success' }) as const;

function valueOf(value: number): Data {
  return { type: 'unsigned', value };
}

function readWhole<Value>(layout: Layout<Value>, parts: readonly Uint8Array[]): Value {
  const reader = new Reader(joined(...parts));
  const value = layout.read(reader, 'list');
  assert.equal(reader.remaining, 0);
  return value;
}

test('a list of more than 127 is read in blocks', () => {
  const service = new GetService(
    { get: ({ attributeId }) => ({ data: valueOf(attributeId) }), set: () => 'success', act },
    100,
  );
  const attributes = MANY.map((index) => ({
    attribute: { ...INSTANCE, attributeId: index % 100 },
  }));
  const parts: Uint8Array[] = [];
  let asked = service.answer({ kind: 'get-request-with-list', invokeIdAndPriority, attributes });
  for (;;) {
    const answer = GET_RESPONSE.decode(asked);
    assert.ok(answer.kind === 'get-response-with-datablock');
    const { result, blockNumber, lastBlock } = answer.result;
    assert.ok(result.kind === 'raw-data');
    parts.push(result.rawData);
    if (lastBlock) break;
    asked = service.answer({ kind: 'get-request-next', invokeIdAndPriority, blockNumber });
  }
  const results = readWhole(sequenceOf(GET_DATA_RESULT), parts);
  assert.deepEqual(
    results,
    MANY.map((index) => ({ kind: 'data', data: valueOf(index % 100) })),
  );
});

test('what a list of more than 127 methods returns comes in blocks', () => {
  const service = new ActionService(
    ({ method }) => ({
      result: 0,
      returnParameters: { kind: 'data', data: valueOf(method.methodId) },
    }),
    100,
  );
  const methods = MANY.map((index) => ({ ...INSTANCE, methodId: index % 100 }));
  const kind = 'action-request-with-list';
  const parameters = MANY.map(valueOf);
  const parts: Uint8Array[] = [];
  let asked = service.answer({ kind, invokeIdAndPriority, methods, parameters });
  for (;;) {
    const answer = ACTION_RESPONSE.decode(asked);
    assert.ok(answer.kind === 'action-response-with-pblock');
    const { rawData, blockNumber, lastBlock } = answer.pblock;
    parts.push(rawData);
    if (lastBlock) break;
    asked = service.answer({
      kind: 'action-request-next-pblock',
      invokeIdAndPriority,
      blockNumber,
    });
  }
  assert.equal(readWhole(sequenceOf(ACTION_RESULT), parts).length, MANY.length);
});

test('a list of more than 127 values is written in blocks, in their order', () => {
  const written: number[] = [];
  const set = ({ data }: { readonly data: Data }) => {
    assert.ok(data.type === 'unsigned');
    written.push(data.value);
    return 'success' as const;
  };
  const service = new SetService({ get: () => ({ refused: 'object-undefined' }), set, act });
  const attributes = MANY.map(() => ({ attribute: { ...INSTANCE, attributeId: 2 } }));
  const raw = encodeAs(DATA_LIST, MANY.map(valueOf));
  const first = { lastBlock: false, blockNumber: 1, rawData: raw.subarray(0, 101) };
  const kind = 'set-request-with-list-and-first-datablock';
  service.answer({ kind, invokeIdAndPriority, attributes, datablock: first });
  const answer = SET_RESPONSE.decode(
    service.answer({
      kind: 'set-request-with-datablock',
      invokeIdAndPriority,
      datablock: { lastBlock: true, blockNumber: 2, rawData: raw.subarray(101) },
    }),
  );
  assert.ok(answer.kind === 'set-response-last-datablock-with-list');
  assert.deepEqual(new Set(answer.results), new Set([0]));
  assert.deepEqual(written, MANY);
});
