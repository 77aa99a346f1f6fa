import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import { PacketWatch } from '#uplink/packet-watch.ts';
import type { Session } from '#uplink/session.ts';
import { startScriptedBroker, welcome5, type Script } from '../support/scripted-broker.ts';

const REFUSED_311 = Uint8Array.of(0x20, 2, 0, 1); // unacceptable protocol version

async function dialled(context: TestContext, script: Partial<Script>): Promise<Session> {
  const broker = await startScriptedBroker({ answer: () => 0, ...script });
  context.after(() => broker.stop());
  const session = await mqttDialer()({
    target: { host: '127.0.0.1', port: broker.port, secure: false },
    clientId: 'gw-1',
    will: { topic: 'will', payload: '' },
    signal: new AbortController().signal,
  });
  context.after(() => session.abort({ code: 'stopped', message: 'the test is over' }));
  return session;
}

/** PUBLISH with a remaining length that makes it one byte too large; the greatest; an endless. */
const HUGE = [
  [0x30, 0xfd, 0xff, 0x03],
  [0x30, 0xff, 0xff, 0xff, 0x7f],
  [0x30, 0x80, 0x80, 0x80, 0x80],
];

for (const level of [5, 4]) {
  test(`level ${level}: a broker that announces a huge packet is left`, async (context) => {
    for (const head of HUGE) {
      const welcome = (asked: number): Uint8Array =>
        asked === level ? Uint8Array.from(head) : REFUSED_311;
      await assert.rejects(dialled(context, { welcome }), { code: 'broker-flood' }, head.join(' '));
    }
  });
}

test('what nobody subscribed to is not kept at QoS 2', async (context) => {
  const publish = Uint8Array.of(0x34, 7, 0, 1, 0x61, 0, 9, 0, 0x62); // topic a, packet 9, payload b
  const answered = Promise.withResolvers<string>();
  await dialled(context, {
    welcome: () => Buffer.concat([welcome5(), publish]),
    heard: (type, body) => answered.resolve(`${type} ${Buffer.from(body).toString('hex')}`),
  });
  assert.equal(await answered.promise, '5 00098300', 'PUBREC of packet 9: 0x83, no property');
});

test('an MQTT 5 broker is told how much may come', async (context) => {
  let told = '';
  await dialled(context, {
    welcome: (_level, _connection, body) => {
      // MQTT 5, 3.1.2.11: the properties stand behind name, level, flags and keep alive.
      told = Buffer.from(body.subarray(11, 11 + (body[10] ?? 0))).toString('hex');
      return welcome5();
    },
  });
  assert.ok(told.includes('210008'), 'Receive Maximum 8');
  assert.ok(told.includes('2700010000'), 'Maximum Packet Size 65 536');
});

test('packets are followed through any division of the stream', () => {
  const packet = (length: number): Uint8Array =>
    length < 128
      ? Uint8Array.of(0x40, length, ...new Uint8Array(length).fill(0xff))
      : Uint8Array.of(
          0x30,
          (length & 0x7f) | 0x80,
          length >> 7,
          ...new Uint8Array(length).fill(0xff),
        );
  const stream = Buffer.concat([0, 2, 127, 128, 1000, 0, 997].map(packet));
  for (const size of [1, 2, 3, 7, 128, stream.length]) {
    for (const [packetBytesMax, good] of [
      [1003, true],
      [1002, false],
    ] as const) {
      const watch = new PacketWatch(packetBytesMax);
      let passed = true;
      for (let at = 0; passed && at < stream.length; at += size) {
        passed = watch.push(stream.subarray(at, at + size));
      }
      assert.equal(passed, good, `${packetBytesMax} in pieces of ${size}`);
    }
  }
});
