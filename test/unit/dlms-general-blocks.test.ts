import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { BlockTransfer } from '#protocol/dlms/block-transfer.ts';
import { BlockCount } from '#protocol/dlms/client/exchange.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { GeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { decodeGeneralBlock, encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { AccessItem } from '#protocol/dlms/service.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { Pair } from '../support/dlms-pair.ts';
import { answerOf, attribute, codesOf, pair } from '../support/dlms-pair.ts';

const REQUEST = Uint8Array.from({ length: 100 }, (_, index) => index);
const ANSWER = Uint8Array.from({ length: 150 }, (_, index) => 255 - index);
const HEAD_BYTES = 9;

/** Two ends of one transfer. */
function ends(window: number, partBytes: number) {
  const blockBytes = HEAD_BYTES + partBytes;
  const client = new BlockTransfer(window, REQUEST, blockBytes);
  return { client, server: new BlockTransfer(window), blockBytes };
}

test('request and answer go in streams of any window, and each stream is confirmed', () => {
  for (const window of [1, 2, 3, 8, 63]) {
    const { client, server, blockBytes } = ends(window, 10);
    let toServer = client.begin();
    const whole: { request?: Uint8Array; answer?: Uint8Array } = {};
    while (whole.answer === undefined) {
      const toClient = toServer.flatMap((block) => {
        const taken = server.receive(block);
        if (taken.apdu === undefined) return taken.send;
        whole.request = taken.apdu;
        return server.answer(ANSWER, blockBytes);
      });
      assert.ok(toClient.length <= window, `${toClient.length} blocks in a window of ${window}`);
      const streaming = toClient.map((block) => decodeGeneralBlock(block).streaming);
      assert.deepEqual(streaming, [...streaming.slice(1).map(() => true), false]);
      toServer = toClient.flatMap((block) => {
        const taken = client.receive(block);
        if (taken.apdu !== undefined) whole.answer = taken.apdu;
        return taken.send;
      });
      assert.ok('answer' in whole || toServer.length > 0, 'someone has to speak');
    }
    assert.deepEqual(whole, { request: REQUEST, answer: ANSWER });
  }
});

test('confirmations go in the blocks of the other direction, without a hole before them', () => {
  const { client } = ends(3, 50);
  const [first, second] = client.begin().map(decodeGeneralBlock);
  assert.deepEqual([first?.blockNumberAck, second], [0, undefined]);
  const block = (blockNumber: number, blockNumberAck: number, streaming: boolean) =>
    encodeGeneralBlock({
      lastBlock: false,
      streaming,
      window: 3,
      blockNumber,
      blockNumberAck,
      blockData: Uint8Array.of(blockNumber),
    });
  // The first of the answer confirms the first of the request; the third comes before the second.
  const more = client.receive(block(1, 1, false)).send.map(decodeGeneralBlock);
  const shown = ({ blockNumber, blockNumberAck, lastBlock }: GeneralBlock) =>
    [blockNumber, blockNumberAck, lastBlock] as const;
  assert.deepEqual(more.map(shown), [[2, 1, true]]);
  assert.deepEqual(
    client
      .receive(block(3, 2, false))
      .send.map(decodeGeneralBlock)
      .map(shown),
    [[3, 1, true]],
  );
});

interface Cut {
  readonly codes: readonly string[];
  readonly acted: number;
  /** Something of what the server said has arrived. */
  readonly heard: boolean;
}

/** One ACTION of many blocks each way; the `lost`-th APDU on the wire, counted from 0, is lost. */
function acted(blockWindow: number, lost: number): Cut {
  let count = 0;
  const both = { blockWindow, conformance: ['generalBlockTransfer', 'action'] } as const;
  const { open, client, server } = pair(
    { blockWindow, clientMaxReceivePduSize: 60, answerTimeoutMs: 1000 },
    {
      ...both,
      serverMaxReceivePduSize: 60,
      objects: {
        get: () => ({ refused: 'object-undefined' }),
        set: () => 'object-undefined',
        act: ({ parameters: data }) => {
          count += 1;
          return data === undefined ? { result: 'success' } : { result: 'success', data };
        },
      },
    },
  );
  open();
  const data: Data = { type: 'octet-string', value: new Uint8Array(300).fill(7) };
  const method = { classId: 1, instanceId: new Uint8Array(6), methodId: 1 };
  const items = [{ method, parameters: data }];
  const codes: string[] = [];
  let at = 1;
  let passed = 0;
  let heard = false;
  let step = client.ask({ kind: 'action', items }, at);
  const over = (): boolean => codes.length > 0;
  while (!over()) {
    for (const event of step.events) {
      if (event.kind === 'message') codes.push(event.message.kind);
      else codes.push(event.failure.code);
    }
    const survives = (): boolean => passed++ !== lost;
    const answers = step.send.filter(survives).flatMap((bytes) => server.receive(bytes, at).send);
    const arrived = answers.filter(survives);
    heard ||= arrived.length > 0;
    at = step.send.length === 0 || arrived.length === 0 ? client.deadline : at;
    const steps = arrived.map((bytes) => client.receive(bytes, at));
    step =
      arrived.length === 0 && !over()
        ? client.expire(at)
        : { send: steps.flatMap(({ send }) => send), events: steps.flatMap((one) => one.events) };
  }
  return { codes, acted: count, heard };
}

test('whichever block is lost, either way, is sent again, and nothing is done twice', () => {
  for (const window of [1, 3]) {
    let recovered = 0;
    for (let lost = 0; lost < 24; lost += 1) {
      const { codes, acted: times, heard } = acted(window, lost);
      assert.ok(times <= 1, `acted ${times} times without APDU ${lost}`);
      // A request of which nothing is heard may have been done: it is not sent again.
      if (heard) assert.deepEqual(codes, ['answered'], `window ${window}, APDU ${lost}`);
      if (heard) recovered += 1;
    }
    assert.ok(recovered > 10, `${recovered} losses with a window of ${window}`);
  }
});

test('a meter that falls silent amid its blocks is asked twice more, then given up', () => {
  const { client, open } = pair({ blockWindow: 3, answerTimeoutMs: 1000, invokeIdOf: () => 0x41 });
  open();
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 1);
  const block = encodeGeneralBlock({
    lastBlock: false,
    streaming: true,
    window: 1,
    blockNumber: 1,
    blockNumberAck: 0,
    blockData: fromHex('c4014100'),
  });
  client.receive(Uint8Array.of(0, 1, 0, 1, 0, 16, 0, block.length, ...block), 1);
  const told = [1, 2, 3].map(() => client.expire(client.deadline));
  assert.deepEqual(
    told.map(({ send, events }) => [send.length, events.map(({ kind }) => kind)]),
    [
      [1, []],
      [1, []],
      [0, ['stalled']],
    ],
  );
  const numbers = told
    .flatMap(({ send }) => send)
    .map((bytes) => decodeGeneralBlock(bytes.subarray(8)));
  assert.deepEqual(
    numbers.map(({ blockNumber, blockNumberAck }) => [blockNumber, blockNumberAck]),
    [
      [1, 1],
      [1, 1],
    ],
  );
});

test('blocks of another transfer in between change nothing, and without end they are left', () => {
  const { client } = ends(1, 100);
  client.begin();
  const block = (blockNumber: number, lastBlock: boolean, text: string) =>
    encodeGeneralBlock({
      lastBlock,
      streaming: false,
      window: 1,
      blockNumber,
      blockNumberAck: 1,
      blockData: fromHex(text),
    });
  client.receive(block(1, false, 'c401'));
  for (let times = 0; times < 16; times += 1) client.receive(block(1, false, '0f00'));
  assert.deepEqual(client.receive(block(2, true, '4100')).apdu, fromHex('c4014100'));
  const endless = ends(1, 100).client;
  endless.begin();
  endless.receive(block(1, false, 'c401'));
  const overlap = (): void => {
    for (let times = 0; times < 17; times += 1) endless.receive(block(1, false, '0f00'));
  };
  assert.throws(overlap, { code: 'endless-blocks' });
});

test('a get-response-with-datablock begins at 0 or at 1, and goes on by one', () => {
  const taken = (...numbers: readonly number[]): void => {
    const count = new BlockCount();
    for (const number of numbers) count.take(number, Uint8Array.of(1));
  };
  taken(0, 1, 2);
  taken(1, 2, 3);
  for (const numbers of [[2], [0, 0], [0, 2], [1, 1], [1, 3], [1, 0]]) {
    assert.throws(() => taken(...numbers), { code: 'block-out-of-order' }, numbers.join());
  }
});

test('a meter that counts its datablocks from 0 is read as one that counts from 1', () => {
  for (const first of [0, 1]) {
    const { client, open } = pair({ invokeIdOf: () => 0x41 });
    open();
    const messages: string[] = [];
    client.ask({ kind: 'get', attributes: [attribute(2)] }, 1);
    for (const [index, part] of ['0904', '0102', '0304'].entries()) {
      const last = index === 2 ? '01' : '00';
      const number = `0000000${first + index}`;
      const apdu = fromHex(`c40241${last}${number}0002${part}`);
      const { send, events } = client.receive(
        Uint8Array.of(0, 1, 0, 1, 0, 16, 0, apdu.length, ...apdu),
        1,
      );
      const [asked] = send;
      assert.equal(asked?.at(-1), index === 2 ? undefined : first + index);
      for (const event of events) if (event.kind === 'message') messages.push(event.message.kind);
    }
    assert.deepEqual(messages, ['answered']);
  }
});

const TITLES = { client: fromHex('4e524d0000000001'), server: fromHex('4e524d0000000002') };
const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: new Uint8Array(16).fill(2),
};

function protectionOf(own: 'client' | 'server', peer: 'client' | 'server'): Protection {
  const counters = new InvocationCounter();
  counters.grant({ from: 0, until: 1000 });
  return gloDedProtection({
    suite: 0,
    ownTitle: TITLES[own],
    peerTitle: TITLES[peer],
    keys: KEYS,
    policy: 'require',
    level: 'authenticated-and-encrypted',
    form: 'general',
    cipher: machineAesGcm,
    counters,
  });
}

const LONG: Data = { type: 'octet-string', value: new Uint8Array(500).fill(9) };
const METHOD = { ...attribute(2), methodId: 1 };
const ITEMS: readonly AccessItem[] = [
  { kind: 'set', attribute: attribute(2), data: LONG },
  { kind: 'get', attribute: attribute(2) },
  { kind: 'get', attribute: attribute(9) },
  { kind: 'action', method: METHOD },
  { kind: 'action', method: METHOD, parameters: LONG },
];

function accessed({ open, ask }: Pair): readonly (string | undefined)[] {
  open();
  const answer = answerOf(ask({ kind: 'access', items: ITEMS }));
  assert.ok(answer.kind === 'results');
  return answer.results.map((result) => {
    if (result.kind === 'refused') return result.failure.code;
    return result.data === LONG || result.data?.type === 'octet-string' ? 'long' : 'done';
  });
}

const EACH = ['done', 'long', 'object-missing', 'done', 'long'];

test('ACCESS reads, writes and acts in one request, in the order that was asked', () => {
  const conformance = ['access', 'get', 'set', 'action'] as const;
  const plain = pair({ proposedConformance: conformance }, { conformance });
  assert.deepEqual(accessed(plain), EACH);
  const { ask } = plain;
  assert.deepEqual(codesOf(ask({ kind: 'get', attributes: [attribute(2)] })), ['answered']);
});

test('a server without ACCESS is asked the same one by one', () => {
  assert.deepEqual(accessed(pair()), EACH);
});

test('a ciphered ACCESS goes both ways in general blocks, in streams', () => {
  const conformance = ['access', 'generalBlockTransfer', 'generalProtection'] as const;
  for (const blockWindow of [1, 4]) {
    const pairOfThem = pair(
      {
        blockWindow,
        proposedConformance: conformance,
        clientMaxReceivePduSize: 120,
        clientTitle: TITLES.client,
        serverTitle: TITLES.server,
        protection: protectionOf('client', 'server'),
      },
      {
        blockWindow,
        conformance,
        serverMaxReceivePduSize: 100,
        serverTitle: TITLES.server,
        protection: protectionOf('server', 'client'),
      },
    );
    assert.deepEqual(accessed(pairOfThem), EACH);
  }
});
