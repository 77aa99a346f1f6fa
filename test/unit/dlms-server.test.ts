import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '#bytes/cursor.ts';
import { fromHex } from '#bytes/hex.ts';
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
import type { ServedNames } from '#protocol/dlms/server/served-short-names.ts';
import { ShortNameService } from '#protocol/dlms/server/served-short-names.ts';
import { READ_RESPONSE, WRITE_REQUEST_BODY, WRITE_RESPONSE } from '#protocol/dlms/short-names.ts';
import { answerOf, attribute, codesOf, pair } from '../support/dlms-pair.ts';

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

test('values of any size go both ways in general blocks, in windows of any size', () => {
  for (const [blockWindow, size] of [
    [1, 10],
    [1, 700],
    [3, 2000],
    [8, 2000],
  ] as const) {
    const both = { blockWindow, conformance: ['generalBlockTransfer', 'get', 'set'] } as const;
    const { open, ask, stored } = pair(
      { blockWindow, clientMaxReceivePduSize: 90 },
      { ...both, serverMaxReceivePduSize: 70 },
    );
    open();
    const data: Data = { type: 'octet-string', value: new Uint8Array(size).fill(size) };
    const item = { attribute: attribute(2), data };
    assert.deepEqual(codesOf(ask({ kind: 'set', items: [item] })), ['answered']);
    assert.deepEqual(stored.get(2), data);
    const answer = answerOf(ask({ kind: 'get', attributes: [attribute(2)] }));
    assert.deepEqual(answer, { kind: 'results', results: [{ kind: 'done', data }] });
  }
});

/** Attribute 2 has the name 8, attribute 3 the name 16; method 1 has 32. */
const NAMES: ServedNames = {
  find: (name) => {
    if (name === 32) return { kind: 'method', method: { ...INSTANCE, methodId: 1 } };
    const attributeId = name / 8 + 1;
    return name > 16 ? undefined : { kind: 'attribute', attribute: { ...INSTANCE, attributeId } };
  },
};

test('short names are read, written and invoked as logical names are', () => {
  const { open, ask, stored } = pair(
    {
      referencing: 'SN',
      shortNames: { attribute: (_class, _name, id) => (id - 1) * 8, method: () => 32 },
      clientMaxReceivePduSize: 64,
    },
    { referencing: 'SN', shortNames: NAMES },
  );
  assert.deepEqual(codesOf(open()), ['associated']);
  const data: Data = { type: 'octet-string', value: new Uint8Array(300).fill(7) };
  ask({ kind: 'set', items: [{ attribute: attribute(3), data }] });
  assert.deepEqual(stored.get(3), data);
  const read = answerOf(ask({ kind: 'get', attributes: [attribute(3), attribute(9)] }));
  assert.ok(read.kind === 'results');
  assert.deepEqual(read.results[0], { kind: 'done', data });
  assert.equal(read.results[1]?.kind, 'refused');
  const method = { ...INSTANCE, methodId: 1 };
  const acted = answerOf(ask({ kind: 'action', items: [{ method, parameters: data }] }));
  assert.deepEqual(acted, { kind: 'results', results: [{ kind: 'done', data }] });
});

test('a WRITE in blocks is acted on when all of it has come, and one out of order never', () => {
  const written: Data[] = [];
  const service = new ShortNameService({
    names: NAMES,
    objects: {
      get: () => ({ refused: 'object-undefined' }),
      set: ({ data }) => {
        written.push(data);
        return 'success';
      },
      act,
    },
    act: () => ({ result: 0 }),
    most: 100,
  });
  const data: Data = { type: 'octet-string', value: new Uint8Array(100).fill(3) };
  const variables = [{ kind: 'variable-name', variableName: 8 }] as const;
  const raw = encodeAs(WRITE_REQUEST_BODY, { variables, data: [data] });
  const write = (blockNumber: number, part: Uint8Array, lastBlock: boolean) => {
    const kind = 'write-data-block-access';
    const block: Data = { type: 'octet-string', value: part };
    const request = { variables: [{ kind, lastBlock, blockNumber }] as const, data: [block] };
    return WRITE_RESPONSE.decode(service.write(request));
  };
  const parts = [raw.subarray(0, 40), raw.subarray(40, 80), raw.subarray(80)] as const;
  assert.deepEqual(write(1, parts[0], false), [{ kind: 'block-number', blockNumber: 1 }]);
  assert.equal(write(3, parts[2], true)[0]?.kind, 'data-access-error');
  assert.equal(write(2, parts[1], false)[0]?.kind, 'data-access-error');
  assert.deepEqual(written, []);
  write(1, parts[0], false);
  write(2, parts[1], false);
  assert.deepEqual(write(3, parts[2], true), [{ kind: 'success' }]);
  assert.deepEqual(written, [data]);
});

test('while the proof is due, a READ of a short name brings no value', () => {
  const challenge = new Uint8Array(8).fill(1);
  const { server } = pair(
    {},
    {
      referencing: 'SN',
      shortNames: NAMES,
      objects: { get: () => ({ data: valueOf(7) }), set: () => 'success', act },
      preEstablished: {
        conformance: new Set(['read']),
        clientMaxReceivePduSize: 0,
        clientChallenge: challenge,
        proofDue: true,
      },
    },
  );
  const [frame] = server.receive(fromHex('0001001000010005' + '0501020008'), 1).send;
  assert.ok(frame);
  assert.deepEqual(READ_RESPONSE.decode(frame.subarray(8)), [
    { kind: 'data-access-error', result: 3 },
  ]);
});
