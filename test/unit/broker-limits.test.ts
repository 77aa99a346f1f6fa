import assert from 'node:assert/strict';
import { test } from 'node:test';
import { owe, oweIn, temporaryStore } from '../support/outbox.ts';
import { welcome5 } from '../support/scripted-broker.ts';
import { listener, open, range, sequencesIn, urlOf } from '../support/uplink.ts';

const RECEIVE_MAXIMUM_1 = [0x21, 0, 1];
/** So that a backlog is many messages. */
const MAXIMUM_PACKET_SIZE_1024 = [0x27, 0, 0, 4, 0];
const BACKLOG = 1000;

test('with one place in flight alarms, manifests, copies and a backlog all go', async (context) => {
  const store = await temporaryStore(context);
  let alarmed = false;
  const broker = await listener(
    context,
    (arrival) => {
      if (!alarmed && arrival.topic.endsWith('/up/m')) {
        alarmed = true;
        void oweIn(store, 'alarm', 'm_alarm', 0, 3);
        void owe(store, 'm', BACKLOG, 3);
      }
      return 0;
    },
    () => welcome5(...RECEIVE_MAXIMUM_1, ...MAXIMUM_PACKET_SIZE_1024),
  );
  const { arrivals } = broker;
  await owe(store, 'm', 0, BACKLOG);
  const uplink = open(context, store, { url: urlOf(broker) });
  await broker.until(() => sequencesIn(arrivals, 'm').includes(BACKLOG + 2));
  await broker.until(() => sequencesIn(arrivals, 'm_alarm').length === 3);
  await uplink.stop();
  assert.deepEqual(sequencesIn(arrivals, 'm'), range(BACKLOG + 3));
  assert.deepEqual(sequencesIn(arrivals, 'm_alarm'), range(3));
  const last = arrivals.findLastIndex(({ topic }) => topic.endsWith('/up/m'));
  const before = arrivals.slice(0, last).map(({ topic }) => topic.split('/').slice(3).join('/'));
  assert.ok(before.includes('up/m_alarm'), 'an alarm waits for no backlog');
  assert.ok(arrivals.at(-2)?.topic.endsWith('/mf'), 'the standing is told before it leaves');
  assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
});

for (const [limit, properties] of [
  ['Topic Alias Maximum 0', [0x22, 0, 0]],
  ['Topic Alias Maximum 1', [0x22, 0, 1]],
  ['no Retain', [0x25, 0]],
  ['Session Expiry Interval 0', [0x11, 0, 0, 0, 0]],
  ['Server Keep Alive 9 s', [0x13, 0, 9]],
  ['Server Keep Alive 0', [0x13, 0, 0]],
] as const) {
  test(`a broker with ${limit} gets every stream`, async (context) => {
    const store = await temporaryStore(context);
    const broker = await listener(
      context,
      () => 0,
      () => welcome5(...properties),
    );
    const { arrivals } = broker;
    const streams = ['a', 'b', 'c'];
    for (const number of range(5)) for (const one of streams) await owe(store, one, number, 1);
    const uplink = open(context, store, { url: urlOf(broker) });
    await broker.until(() => streams.every((one) => sequencesIn(arrivals, one).includes(4)));
    await uplink.stop();
    for (const one of streams) assert.deepEqual(sequencesIn(arrivals, one), range(5));
  });
}
