import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { startBroker } from '#sim/broker.ts';
import { BootClock, WallClock } from '#sim/life/boot-clock.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock, type Clock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import { openUplink } from '#uplink/open.ts';
import type { Dial } from '#uplink/session.ts';
import { freePort } from '../support/mosquitto.ts';
import { owe, temporaryCa, temporaryStore } from '../support/outbox.ts';
import { welcome5, type Arrival } from '../support/scripted-broker.ts';
import { seeded } from '../support/seeded.ts';
import { GATEWAY, open, range, scene, sequencesIn } from '../support/uplink.ts';
import { sequencesOf, urlOf } from '../support/uplink.ts';

test('a broker of MQTT 3.1.1 only gets everything in order', async (context) => {
  const ca = await temporaryCa(context);
  const broker = await startBroker({ ca: ca.anchor, ...(await ca.broker()) });
  context.after(() => broker.stop());
  const arrivals: Arrival[] = [];
  const done = Promise.withResolvers<undefined>();
  broker.onPublish((topic, payload) => {
    arrivals.push({ topic, topicSent: topic, payload, retain: false });
    if (sequencesIn(arrivals, 'p1').length === 300) done.resolve(undefined);
  });
  const store = await temporaryStore(context);
  await owe(store, 'p1', 0, 300);
  const credentials = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const uplink = open(context, store, { url: `mqtts://localhost:${broker.port}`, credentials });
  await done.promise;
  assert.deepEqual(uplink.status().state, {
    kind: 'online',
    protocol: '3.1.1',
    broker: `mqtts://localhost:${broker.port}`,
  });
  await uplink.stop();
  assert.deepEqual(sequencesIn(arrivals, 'p1'), range(300));
  assert.ok(arrivals.length < 20, 'entries that wait travel together');
  assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
  const { readingsSent, readingsAcknowledged, latencyMs } = uplink.status();
  assert.deepEqual([readingsSent, readingsAcknowledged], [600, 600]);
  assert.ok(latencyMs !== undefined && latencyMs.p50 <= latencyMs.p99);
  const states = arrivals
    .filter(({ topic }) => topic === 'nd/1/gw-1/st')
    .map(({ payload }) => (JSON.parse(Buffer.from(payload).toString()) as { state: string }).state);
  assert.deepEqual(states, ['online', 'offline']);
});

for (const [reason, code] of [
  [0x87, 'not-authorised'],
  [0x97, 'quota-exceeded'],
  [0x83, 'broker-error'],
] as const) {
  test(`a stream refused as ${code} waits alone and loses nothing`, async (context) => {
    let refusing = true;
    const { store, broker, arrivals, until } = await scene(context, (_, stream) =>
      refusing && stream === 'bad' ? reason : 0,
    );
    const clock = new VirtualClock();
    await owe(store, 'bad', 0, 20);
    await owe(store, 'good', 0, 20);
    const uplink = open(context, store, { url: urlOf(broker) }, clock);
    await until(() => sequencesIn(arrivals, 'good').length === 20);
    await uplink.reached(({ refusals }) => refusals[code] === 1);
    assert.equal(uplink.status().refusedStreams['bad']?.code, code);
    assert.equal(uplink.status().state.kind, 'online');

    // The refused entry is tried alone, less and less often.
    const before = arrivals.length;
    clock.advance(1000);
    await until(() => arrivals.length === before + 1);
    assert.deepEqual(sequencesIn(arrivals.slice(before), 'bad'), [0]);
    await uplink.reached(({ refusals }) => refusals[code] === 2);

    refusing = false;
    const later = arrivals.length;
    clock.advance(300_000);
    await until(() => sequencesIn(arrivals.slice(later), 'bad').length === 20);
    assert.deepEqual(sequencesIn(arrivals.slice(later), 'bad'), range(20));
    await uplink.stop();
    assert.deepEqual(uplink.status().refusedStreams, {});
    assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
  });
}

test('no more messages wait for an answer than the broker can receive', async (context) => {
  let owed = 0;
  let most = 0;
  const { store, broker, arrivals, until } = await scene(
    context,
    () => {
      owed += 1;
      most = Math.max(most, owed);
      return 'silence';
    },
    () => welcome5(0x21, 0, 3),
  );
  for (const stream of range(8)) await owe(store, `s${stream}`, 0, 1);
  open(context, store, { url: urlOf(broker) });
  await until(() => arrivals.length === 3);
  // Once more through the loop: a fourth, had it been sent, would come right behind the third.
  await store.due('utility', 'measurement', 0, 100);
  assert.equal(most, 3);
});

test('packs fit the broker, and an observation that does not is set aside', async (context) => {
  const packetBytesMax = 1000;
  const { store, broker, arrivals, until } = await scene(
    context,
    () => 0,
    () => welcome5(0x27, 0, 0, packetBytesMax >> 8, packetBytesMax & 0xff),
  );
  const text = new Uint8Array(1200).fill(0x61);
  const records = Uint8Array.of(0xa1, 0x03, 0x79, text.length >> 8, text.length & 0xff, ...text);
  await store.append({
    source: 'large',
    observation: new Uint8Array(1),
    readings: 1,
    takenMs: Date.now(),
    outputs: [
      {
        backend: 'utility',
        stream: 'large',
        class: 'measurement',
        records,
        recordCount: 1,
        readings: 1,
      },
    ],
  });
  await owe(store, 'small', 0, 100);
  const uplink = open(context, store, { url: urlOf(broker) });
  await until(() => sequencesIn(arrivals, 'small').length === 100);
  assert.deepEqual(sequencesIn(arrivals, 'small'), range(100));
  const sizes = arrivals.map(({ topic, payload }) => 7 + topic.length + payload.length);
  assert.ok(Math.max(...sizes) <= packetBytesMax, `largest of ${Math.max(...sizes)} bytes`);
  assert.deepEqual(sequencesIn(arrivals, 'large'), []);
  await uplink.stop();
  const [aside, ...others] = await store.quarantined('utility');
  assert.deepEqual([aside?.stream, aside?.code, others], ['large', 'packet-too-large', []]);
  assert.equal((await store.counts()).backends['utility']?.queuedEntries, 1);
});

test('after a loss sending starts again at the oldest unacknowledged entry', async (context) => {
  let messages = 0;
  const { store, broker, arrivals, until } = await scene(
    context,
    () => {
      messages += 1;
      if (messages === 2) return 'silence'; // taken, but its acknowledgement is lost
      return messages === 3 ? 'hang-up' : 0;
    },
    () => welcome5(0x27, 0, 0, 1, 0), // small packs, so that there are many
  );
  const clock = new VirtualClock();
  await owe(store, 'p1', 0, 30);
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  const { lastFailure, state } = await uplink.reached((status) => status.state.kind === 'waiting');
  assert.equal(lastFailure?.code, 'connection-closed');
  assert.ok(state.kind === 'waiting' && state.retryMs <= 1000);
  const [first, second] = arrivals.map(sequencesOf);
  const before = arrivals.length;
  clock.advance(1000);
  await until(() => sequencesIn(arrivals.slice(before), 'p1').includes(29));
  await uplink.stop();
  assert.deepEqual(sequencesIn(arrivals.slice(before), 'p1'), range(30).slice(first?.length));
  const again = arrivals[before];
  assert.ok(again !== undefined);
  assert.deepEqual(sequencesOf(again), second?.slice(0, 1), 'the suspect alone, with its key');
  assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
});

test('a broker that hangs up because of the size gets smaller packs', async (context) => {
  const { store, broker, arrivals, until } = await scene(context, ({ payload }) =>
    payload.length > 2000 ? { disconnect: 0x95 } : 0,
  );
  const clock = new VirtualClock();
  await owe(store, 'p1', 0, 500);
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  uplink.onState(({ state }) => {
    if (state.kind === 'waiting') setImmediate(() => clock.advance(state.retryMs));
  });
  const taken = (): Arrival[] => arrivals.filter(({ payload }) => payload.length <= 2000);
  await until(() => sequencesIn(taken(), 'p1').includes(499));
  await uplink.stop();
  assert.equal(uplink.status().lastFailure?.code, 'packet-too-large');
  assert.deepEqual(sequencesIn(taken(), 'p1'), range(500));
});

test('a broker that does not answer is left, and nothing is deleted', async (context) => {
  const { store, broker, arrivals, until } = await scene(context, () => 'silence');
  const clock = new VirtualClock();
  await owe(store, 'p1', 0, 5);
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  await until(() => arrivals.length === 1);
  clock.advance(30_000);
  const { lastFailure } = await uplink.reached((status) => status.state.kind === 'waiting');
  assert.equal(lastFailure?.code, 'broker-silent');
  assert.equal((await store.counts()).backends['utility']?.queuedEntries, 5);
});

test('stopping waits for acknowledgements, but not for ever', async (context) => {
  const { store, broker, arrivals, until } = await scene(context, () => 'silence');
  const clock = new VirtualClock();
  await owe(store, 'p1', 0, 5);
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  await until(() => arrivals.length === 1);
  const stopped = uplink.stop();
  await clock.run(10_000);
  while (uplink.status().state.kind !== 'stopped') await clock.run(1000);
  await stopped;
  assert.equal((await store.counts()).backends['utility']?.queuedEntries, 5);
});

test('an uplink that cannot connect says why', async (context) => {
  const store = await temporaryStore(context);
  const [ca, foreign] = [await temporaryCa(context), await temporaryCa(context)];
  const broker = await startBroker({ ca: ca.anchor, ...(await ca.broker(['127.0.0.1'])) });
  context.after(() => broker.stop());
  const plain = await scene(context, () => 0);
  const device = await ca.device('gw-1');
  const credentials = { ...device, anchors: [ca.anchor] };
  const { port } = broker;
  const cases: readonly (readonly [string, Parameters<typeof open>[2], Clock?])[] = [
    ['connection-refused', { url: `mqtt://127.0.0.1:${await freePort()}` }],
    ['name-not-resolved', { url: 'mqtts://broker.invalid', credentials }],
    ['not-tls', { url: `mqtts://127.0.0.1:${plain.broker.port}`, credentials }],
    ['broker-name-mismatch', { url: `mqtts://localhost:${port}`, credentials }],
    [
      'broker-untrusted',
      {
        url: `mqtts://127.0.0.1:${port}`,
        credentials: { ...device, anchors: [foreign.anchor] },
      },
    ],
    [
      'missing-file',
      { url: `mqtts://127.0.0.1:${port}`, credentials: { ...credentials, key: '/absent' } },
    ],
    [
      'clock-not-trusted',
      { url: `mqtts://127.0.0.1:${port}`, credentials },
      new VirtualClock({ second: 0, trust: 'untrusted' }),
    ],
  ];
  for (const [code, options, clock] of cases) {
    const uplink = open(context, store, options, clock);
    const { lastFailure } = await uplink.reached((status) => status.state.kind === 'waiting');
    assert.equal(lastFailure?.code, code, lastFailure?.message);
    assert.ok(lastFailure.hint !== undefined);
    await uplink.stop();
  }
});

test('a broker may refuse the connection itself, with a reason', async (context) => {
  const { store, broker } = await scene(
    context,
    () => 0,
    () => Uint8Array.of(0x20, 3, 0, 0x87, 0),
  );
  const uplink = open(context, store, { url: urlOf(broker) });
  const { lastFailure } = await uplink.reached((status) => status.state.kind === 'waiting');
  assert.equal(lastFailure?.code, 'not-authorised');
});

test('addresses that would show readings to strangers are refused', async (context) => {
  const store = await temporaryStore(context);
  for (const [url, code] of [
    ['mqtt://broker.example', 'plaintext-refused'],
    ['mqtt://127.0.0.1.example', 'plaintext-refused'],
    ['mqtts://broker.example', 'credentials-missing'],
    ['https://broker.example', 'bad-url'],
    ['mqtts://user:secret@broker.example', 'bad-url'],
    ['', 'bad-url'],
  ] as const) {
    assert.throws(() => open(context, store, { url }), { code }, url);
  }
  const ports = { store, clock: machineClock, entropy: machineEntropy, log: () => undefined };
  const url = 'mqtt://127.0.0.1:1';
  assert.throws(() => openUplink({ ...GATEWAY, gateway: 'a/b', url }, ports), { code: 'bad-name' });
});

test('a wait is told once, though timers count whole milliseconds only', async (context) => {
  const store = await temporaryStore(context);
  const world = new VirtualClock();
  const clock = new BootClock(world, new WallClock(world));
  const told: string[] = [];
  let dials = 0;
  const dial: Dial = () => {
    dials += 1;
    return Promise.reject(new OperatingError('connection-refused', 'nobody is there'));
  };
  const log: Log = (_, event) => void told.push(event);
  const options = { ...GATEWAY, url: 'mqtt://127.0.0.1:1883' };
  const uplink = openUplink(options, { store, clock, entropy: seeded(7), log, dial });
  while (dials < 20) await world.run(10_000);
  await uplink.stop();
  assert.equal(told.filter((event) => event === 'uplink.waiting').length, dials);
});
