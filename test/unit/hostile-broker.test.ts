import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { IncomingBudget } from '#uplink/incoming-budget.ts';
import type { Session } from '#uplink/session.ts';
import { Unread } from '#uplink/unread.ts';
import { dialled } from '../support/dialled.ts';
import { welcome5 } from '../support/scripted-broker.ts';
import { range } from '../support/uplink.ts';

/** What becomes of a message: it is taken, refused, or its session is lost. */
function outcome(session: Session): Promise<string> {
  const answered = new Promise<string>((resolve) => {
    session.publish({ topic: 'up', payload: 'x' }, (refusal) => resolve(refusal?.code ?? 'taken'));
  });
  return Promise.race([answered, session.lost.then(({ code }) => code)]);
}

const VIOLATION = 'protocol-violation';

/** What a broker sends in place of an answer, with the identifier of our packet. */
const INSTEAD: readonly (readonly [title: string, packet: (id: number) => number[]])[] = [
  ['a second welcome', () => [0x20, 3, 0, 0, 0]],
  ['AUTH, of which nobody spoke', () => [0xf0, 2, 0x18, 0]],
  ['PUBCOMP, which is for QoS 2', (id) => [0x70, 2, id >> 8, id & 0xff]],
  ['PUBREC, which is for QoS 2', (id) => [0x50, 2, id >> 8, id & 0xff]],
  ['SUBACK of our message', (id) => [0x90, 4, id >> 8, id & 0xff, 0, 1]],
  ['UNSUBACK of our message', (id) => [0xb0, 4, id >> 8, id & 0xff, 0, 0]],
  ['CONNECT', () => [0x10, 2, 0, 0]],
  ['packet type 0', () => [0, 0]],
  ['PUBACK with flags', (id) => [0x4f, 2, id >> 8, id & 0xff]],
  ['PUBLISH of QoS 3', () => [0x36, 6, 0, 1, 0x61, 0, 1, 0]],
  ['a topic longer than its packet', () => [0x30, 3, 0, 50, 0x61]],
  ['properties longer than their packet', () => [0x30, 4, 0, 1, 0x61, 99]],
];

for (const [title, packet] of INSTEAD) {
  test(`${title} is no acknowledgement, and ends the session`, async (context) => {
    const session = await dialled(context, {
      answer: () => ({ packets: (id) => Uint8Array.from(packet(id)) }),
    });
    assert.equal(await outcome(session), VIOLATION);
  });
}

/** What is passed over: it speaks of nothing of ours. */
const BESIDE = {
  'PUBACK of an unknown packet': [0x40, 2, 0xee, 0xee],
  'SUBACK of an unknown packet': [0x90, 4, 0xee, 0xee, 0, 1],
  'PINGRESP that nobody awaits': [0xd0, 0],
  PINGREQ: [0xc0, 0],
  'PUBACK of one byte': [0x40, 1, 0],
  'PUBACK of packet 0': [0x40, 2, 0, 0],
  'a topic that is no UTF-8': [0x30, 5, 0, 2, 0xff, 0xfe, 0],
} as const;

for (const [title, bytes] of Object.entries(BESIDE)) {
  test(`${title} is passed over`, async (context) => {
    const welcome = (): Uint8Array => Buffer.concat([welcome5(), Uint8Array.from(bytes)]);
    assert.equal(await outcome(await dialled(context, { welcome })), 'taken');
  });
}

test('a PUBACK that comes twice acknowledges one message', async (context) => {
  let messages = 0;
  const session = await dialled(context, {
    answer() {
      messages += 1;
      if (messages > 1) return 0x87;
      return { packets: (id) => Uint8Array.of(...puback(id), ...puback(id), ...puback(id + 1)) };
    },
  });
  assert.deepEqual([await outcome(session), await outcome(session)], ['taken', 'not-authorised']);
});

const puback = (id: number): readonly number[] => [0x40, 2, id >> 8, id & 0xff];

for (const [title, properties] of [
  ['Receive Maximum', [0x21, 0, 1, 0x21, 0, 2]],
  ['Maximum Packet Size', [0x27, 0, 1, 0, 0, 0x27, 0, 2, 0, 0]],
  ['Topic Alias Maximum', [0x22, 0, 1, 0x22, 0, 2]],
  ['Maximum QoS', [0x24, 1, 0x24, 0]],
  ['Server Keep Alive', [0x13, 0, 9, 0x13, 0, 8]],
] as const) {
  test(`a welcome that says its ${title} twice is none`, async (context) => {
    const welcome = (): Uint8Array => welcome5(...properties);
    await assert.rejects(dialled(context, { welcome }), { code: VIOLATION });
  });
}

/** Terminal commands and line ends in a reason string (MQTT 5.0, 3.14.2.2.3). */
const RUDE = Buffer.from('\u001b[2J\u0007\n{"level":"error"}\u009b31m'.padEnd(5000, '!'));

test('a reason string is not repeated, nor is a redirection followed', async (context) => {
  for (const property of [0x1f, 0x1c]) {
    const session = await dialled(context, {
      answer: () => ({ packets: () => disconnected(0x9c, property) }),
    });
    assert.equal(await outcome(session), 'broker-moved');
    const { message, hint = '' } = await session.lost;
    assert.match(message + hint, /^[\x20-\x7e]{1,200}$/);
  }
});

function disconnected(reason: number, property: number): Uint8Array {
  const text = Buffer.concat([Uint8Array.of(property, RUDE.length >> 8, RUDE.length & 0xff), RUDE]);
  const length = (value: number): number[] => [(value & 0x7f) | 0x80, value >> 7];
  const body = Buffer.concat([Uint8Array.of(reason, ...length(text.length)), text]);
  return Buffer.concat([Uint8Array.of(0xe0, ...length(body.length)), body]);
}

/** So many messages of a hundred bytes that nobody has asked for. */
function unasked(qos: 0 | 1, count: number): Uint8Array {
  const identified = qos === 0 ? [] : [0, 9];
  const body = [0, 1, 0x61, ...identified, 0, ...new Array<number>(90).fill(0x62)];
  const message = Uint8Array.of(0x30 | (qos << 1), body.length, ...body);
  return Buffer.concat(Array.from({ length: count }, () => message));
}

for (const qos of [0, 1] as const) {
  test(`8000 messages at QoS ${qos} that nobody asked for are not kept`, async (context) => {
    const welcome = (): Uint8Array => Buffer.concat([welcome5(), unasked(qos, 8000)]);
    assert.equal(await outcome(await dialled(context, { welcome })), 'taken');
  });

  test(`more of them at QoS ${qos} than that are a flood`, async (context) => {
    const session = await dialled(context, {
      answer: () => ({ packets: () => unasked(qos, 60_000) }),
    });
    assert.equal(await outcome(session), 'broker-flood');
  });
}

test('a broker may answer as fast as it is asked, and no faster', () => {
  const [PUBLISH, PUBACK] = [3, 4];
  const budget = new IncomingBudget();
  for (const at of range(200_000)) {
    budget.asked();
    assert.ok(budget.takes(PUBACK, 4, at / 50), `answer ${at}`);
  }
  const nowMs = 4000;
  const burst = range(20_000).findIndex(() => !budget.takes(PUBACK, 4, nowMs));
  assert.equal(burst, 8192, 'what answers nothing counts');
  assert.ok(!budget.takes(PUBLISH, 10, nowMs + 1));
  const aSecondMs = nowMs + 17_000;
  const seconds = range(3600).map((second) => aSecondMs + 1000 * second);
  const receipts = seconds.map((atMs) => budget.takes(PUBLISH, 65_536, atMs));
  assert.ok(receipts.every(Boolean), 'a receipt a second is none');
});

/** A broker that reads up to the first message, and acknowledges whatever else it is told to. */
async function deaf(context: TestContext) {
  const sockets: Socket[] = [];
  let first = 0;
  const session = await dialled(context, {
    serving: (socket) => sockets.push(socket),
    answer: () => ({
      packets: (id) => {
        first = id;
        sockets[0]?.pause();
        return Uint8Array.from(puback(id));
      },
    }),
  });
  assert.equal(await outcome(session), 'taken');
  const acknowledge = (count: number): unknown =>
    sockets[0]?.write(Uint8Array.from(puback(((first + count - 1) % 0xffff) + 1)));
  return { session, acknowledge };
}

test('a broker that acknowledges without reading is left before all is full', async (context) => {
  const { session, acknowledge } = await deaf(context);
  const payload = new Uint8Array(32 * 1024);
  let messages = 0;
  const end = { over: false };
  void session.lost.then(() => (end.over = true));
  const bytesMax = 64 << 20; // what the machine itself keeps of a connection is part of it
  while (!end.over && messages * payload.length < bytesMax) {
    messages += 1;
    session.publish({ topic: 'up', payload }, () => undefined);
    acknowledge(messages);
    await turn();
  }
  assert.ok(end.over, 'nothing bounds what waits');
  assert.equal((await session.lost).code, 'broker-flood');
});

test('a broker that reads nothing of our answers is left, and one that reads late is not', () => {
  const stream = { writableLength: 0 };
  const unread = new Unread(stream);
  const tooMuch = (packets: number): boolean =>
    range(packets).some(() => {
      stream.writableLength += 4;
      return unread.isTooMuch;
    });
  assert.ok(!tooMuch(8000));
  stream.writableLength -= 4000;
  assert.ok(!tooMuch(8000), 'it has read something');
  assert.ok(tooMuch(1000));
});
