import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Verifier } from '#contract/verify.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';
import { machineZstd } from '#system/zstd.ts';
import { sha256 } from '../support/contract.ts';
import { owe, oweIn, temporaryFolder, temporaryStore } from '../support/outbox.ts';
import { welcome5, type Arrival } from '../support/scripted-broker.ts';
import {
  listener,
  open,
  range,
  scene,
  sequencesIn,
  sequencesOf,
  urlOf,
} from '../support/uplink.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

const copiesIn = (arrivals: readonly Arrival[], stream: string): readonly number[] =>
  arrivals.filter(({ topic }) => topic.endsWith(`/lv/${stream}`)).flatMap(sequencesOf);

const SECOND_MS = 1000;

/** An uplink whose broker has no time but the test's. */
async function begun(context: TestContext): Promise<VirtualUplink> {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, runCountMax: 1 });
  context.after(() => world.kill());
  await world.start();
  return world;
}

test('what is urgent goes before a backlog of what is not, whenever it came', async (context) => {
  const store = await temporaryStore(context);
  await oweIn(store, 'bulk', 'm_bulk', 0, 500);
  await oweIn(store, 'measurement', 'm', 0, 500);
  await oweIn(store, 'alarm', 'm_alarm', 0, 3);
  await oweIn(store, 'command', 'm_command', 0, 3);
  const { port, arrivals, until } = await listener(
    context,
    () => 0,
    () => welcome5(0x21, 0, 8), // few in flight, so that order shows
  );
  const uplink = open(context, store, { url: urlOf({ port }) });
  const done = (stream: string, count: number) => (): boolean =>
    sequencesIn(arrivals, stream).length === count;
  await until(done('m_bulk', 500));
  const firstOf = (stream: string): number =>
    arrivals.findIndex(({ topic }) => topic.endsWith(`/up/${stream}`));
  const order = ['m_command', 'm_alarm', 'm'].map(firstOf);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  const lastOfMeasurement = arrivals.findLastIndex(({ topic }) => topic.endsWith('/up/m'));
  assert.ok(firstOf('m_alarm') < lastOfMeasurement);
  for (const stream of ['m', 'm_bulk']) assert.deepEqual(sequencesIn(arrivals, stream), range(500));
  await uplink.stop();
});

test('an alarm finds a place in flight when measurements have taken theirs', async (context) => {
  const { store, broker, arrivals, until } = await scene(
    context,
    (_, stream) => (stream === 'm_alarm' ? 0 : 'silence'),
    () => welcome5(0x21, 0, 8),
  );
  for (const number of range(20)) await owe(store, `s${number}`, 0, 1);
  const uplink = open(context, store, { url: urlOf(broker) });
  await until(() => arrivals.length === 6);
  await oweIn(store, 'alarm', 'm_alarm', 0, 1);
  await until(() => sequencesIn(arrivals, 'm_alarm').length === 1);
  assert.equal(arrivals.length, 7);
  assert.equal(uplink.status().lanes[1]?.class, 'alarm');
});

test('what is new overtakes a backlog as a copy, and comes again in its order', async (context) => {
  const world = await begun(context);
  const { clock, arrived } = world;
  await world.owe('measurement', 'm', 0, 1);
  await clock.run(SECOND_MS);
  assert.deepEqual(world.sequences('m'), [0]);
  world.fate = undefined;
  world.hangUp();
  await world.owe('measurement', 'm', 1, 500);
  await clock.run(300 * SECOND_MS);
  world.fate = () => TAKEN;
  while (world.uplink.status().state.kind !== 'online') await clock.run(SECOND_MS);
  // The backlog waits for up to a minute, so that not all gateways send theirs at once.
  await world.owe('measurement', 'm', 501, 2);
  await clock.run(SECOND_MS);
  const copies = arrived.filter(({ topic }) => topic === 'lv/m').flatMap(sequencesOf);
  assert.deepEqual(copies, [501, 502]);
  assert.deepEqual(world.sequences('m'), [0]);
  assert.ok(world.uplink.status().lanes[2]?.behind);
  await clock.run(60 * SECOND_MS);
  assert.deepEqual(world.sequences('m'), range(503));
  const { backends } = await world.answer(world.store.counts());
  assert.equal(backends['utility']?.queuedEntries ?? 0, 0);
});

interface Held {
  readonly store: Store;
  /** Settles when the second page has been asked for, and so after the session has begun. */
  readonly asked: Promise<undefined>;
  readonly release: () => void;
}

/** The same store, whose second page of measurements is answered when it may be. */
function withPageHeld(store: Store): Held {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<undefined>();
  let pages = 0;
  const due: Store['due'] = async (backend, of, afterId, limit) => {
    if (of === 'measurement') pages += 1;
    if (of === 'measurement' && pages === 2) {
      asked.resolve(undefined);
      await promise;
    }
    return store.due(backend, of, afterId, limit);
  };
  const held = new Proxy(store, {
    get(target, name) {
      const member: unknown = name === 'due' ? due : Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...words: unknown[]): unknown => Reflect.apply(member, target, words);
    },
  });
  return { store: held, asked: asked.promise, release: () => resolve(undefined) };
}

test('what fills a page is a backlog at once: no second is waited for', async (context) => {
  const { store, asked, release } = withPageHeld(await temporaryStore(context));
  await owe(store, 'm', 0, 5000);
  const { port, arrivals, until } = await listener(context, () => 0);
  const uplink = open(context, store, { url: urlOf({ port }) }, new VirtualClock());
  await asked; // what came before the session is no news
  await owe(store, 'm', 5000, 1);
  release();
  await until(() => sequencesIn(arrivals, 'm').length === 5001);
  const upAt = arrivals.findIndex(
    (arrival) => arrival.topic.endsWith('/up/m') && sequencesOf(arrival).includes(5000),
  );
  assert.deepEqual(copiesIn(arrivals.slice(0, upAt), 'm'), [5000]);
  await uplink.stop();
});

test('without a backlog there are no copies', async (context) => {
  const store = await temporaryStore(context);
  const { port, arrivals, until } = await listener(context, () => 0);
  const uplink = open(context, store, { url: urlOf({ port }) });
  for (const number of range(50)) await owe(store, 'm', number, 1);
  await until(() => sequencesIn(arrivals, 'm').length === 50);
  await uplink.stop();
  assert.deepEqual(copiesIn(arrivals, 'm'), []);
});

for (const [reason, code] of [
  [0x90, 'topic-refused'],
  [0x99, 'payload-invalid'],
] as const) {
  test(`one observation refused as ${code} is set aside, the others pass`, async (context) => {
    const { store, broker, arrivals } = await scene(context, (arrival, stream) =>
      stream === 'bad' && sequencesOf(arrival).includes(7) ? reason : 0,
    );
    await owe(store, 'bad', 0, 20);
    await owe(store, 'good', 0, 20);
    const uplink = open(context, store, { url: urlOf(broker) });
    while ((await store.due('utility', 'measurement', 0, 1)).length > 0);
    assert.deepEqual([...new Set(sequencesIn(arrivals, 'bad'))].length, 20);
    await uplink.stop();
    const aside = await store.quarantined('utility');
    assert.deepEqual(
      aside.map(({ stream, sequence, code: why }) => [stream, sequence, why]),
      [['bad', 7, code]],
    );
    assert.equal((await store.counts()).backends['utility']?.queuedEntries, 1);

    // Sent again by a person, it is only one more entry that is due.
    assert.ok(await store.resend('utility', aside[0]?.id ?? 0));
    assert.equal((await store.due('utility', 'measurement', 0, 10)).length, 1);
  });
}

test('a message over which the broker hangs up is found and set aside', async (context) => {
  const { store, broker, arrivals, until } = await scene(context, (arrival, stream) =>
    stream === 'bad' && sequencesOf(arrival).includes(3) ? 'hang-up' : 0,
  );
  await owe(store, 'bad', 0, 10);
  await owe(store, 'good', 0, 10);
  const clock = new VirtualClock();
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  uplink.onState(({ state }) => {
    if (state.kind === 'waiting') setImmediate(() => clock.advance(state.retryMs));
  });
  await until(
    () => sequencesIn(arrivals, 'bad').includes(9) && sequencesIn(arrivals, 'good').includes(9),
  );
  await until(() => new Set(sequencesIn(arrivals, 'bad')).size === 10);
  await uplink.reached(({ readingsAcknowledged }) => readingsAcknowledged > 0);
  const aside = await store.quarantined('utility');
  assert.deepEqual(
    aside.map(({ stream, sequence, code }) => [stream, sequence, code]),
    [['bad', 3, 'connection-closed']],
  );
});

test('a run larger than the broker takes is divided, and deleted as a whole', async (context) => {
  const store = await openStore({ directory: join(temporaryFolder(context), 'state') });
  context.after(() => store.close());
  await owe(store, 'm', 0, 300);
  const [first] = await store.due('utility', 'measurement', 0, 10);
  assert.ok(first !== undefined && first.count > 10, 'a run');
  const packetBytesMax = 1000;
  let last: Arrival | undefined;
  let silent = true;
  const { port, arrivals, until } = await listener(
    context,
    (arrival) => {
      if (!arrival.topic.endsWith('/up/m')) return 0;
      last = arrival;
      return silent && sequencesOf(arrival).includes(first.count - 1) ? 'hang-up' : 0;
    },
    () => welcome5(0x27, 0, 0, packetBytesMax >> 8, packetBytesMax & 0xff),
  );
  const clock = new VirtualClock();
  const uplink = open(context, store, { url: urlOf({ port }) }, clock);
  await uplink.reached(({ state }) => state.kind === 'waiting');
  assert.ok(last !== undefined);
  const [again] = await store.due('utility', 'measurement', 0, 10);
  assert.equal(again?.id, first.id, 'its last part is missing, so that all of it stays due');
  silent = false;
  const before = arrivals.length;
  clock.advance(1000);
  await until(() => sequencesIn(arrivals.slice(before), 'm').includes(299));
  await uplink.stop();
  const after = sequencesIn(arrivals.slice(before), 'm');
  assert.deepEqual([...new Set(after)], range(300));
  assert.ok(arrivals.every(({ topic, payload }) => 16 + topic.length + payload.length <= 1000));
  assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
});

test('gaps that a manifest has no place for go with the next ones', async (context) => {
  const directory = temporaryFolder(context);
  const store = await openStore({ directory, runCountMax: 1 });
  context.after(() => store.close());
  await owe(store, 'm', 0, 1401);
  const due = await store.due('utility', 'measurement', 0, 2000);
  const odd = due.filter(({ sequence }) => sequence % 2 === 1);
  const bad = { code: 'bad', message: 'bad' };
  await Promise.all(odd.map(({ id }) => store.quarantine('utility', id, bad)));
  const { port, arrivals, until } = await listener(context, () => 0);
  const uplink = open(context, store, { url: urlOf({ port }) });
  await until(() => sequencesIn(arrivals, 'm').length === 701);
  await uplink.stop();
  const verifier = new Verifier({ sha256, compression: machineZstd });
  const verdicts = arrivals.map(({ topic, payload }) => {
    verifier.take(topic, payload);
    return verifier.report().streams[0]?.verdict;
  });
  assert.ok(!verdicts.includes('missing') && !verdicts.includes('altered'));
  const [stream] = verifier.report().streams;
  assert.deepEqual([stream?.verdict, stream?.gaps.length], ['complete', 700]);
});

test('manifests prove to a receiver that nothing is missing, across a restart', async (context) => {
  const store = await temporaryStore(context);
  const { port, arrivals, until } = await listener(context, () => 0);
  const manifests = (): readonly { readonly number: number }[] =>
    arrivals
      .filter(({ topic }) => topic.endsWith('/mf'))
      .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as { number: number });
  for (const [from, seen] of [
    [0, 2],
    [40, 4],
  ] as const) {
    const clock = new VirtualClock();
    const uplink = open(context, store, { url: urlOf({ port }) }, clock);
    await uplink.reached(({ state }) => state.kind === 'online');
    await until(() => manifests().length === seen - 1);
    await owe(store, 'm', from, 40);
    await oweIn(store, 'alarm', 'm_alarm', from, 2);
    await until(() => sequencesIn(arrivals, 'm').length === from + 40);
    await until(() => sequencesIn(arrivals, 'm_alarm').includes(from / 20 + 1));
    await uplink.stop();
    assert.equal(manifests().length, seen, 'one at the begin, one before it leaves');
  }
  const numbers = manifests().map(({ number }) => number);
  assert.deepEqual(
    numbers,
    range(4).map((index) => (numbers[0] ?? NaN) + index),
  );
  const verifier = new Verifier({ sha256, compression: machineZstd });
  for (const { topic, payload } of arrivals) verifier.take(topic, payload);
  const { complete, streams, faults } = verifier.report();
  assert.deepEqual(faults, []);
  assert.deepEqual(
    streams.map(({ stream, verdict, observations }) => [stream, verdict, observations]).sort(),
    [
      ['m', 'complete', 80],
      ['m_alarm', 'complete', 4],
    ],
  );
  assert.ok(complete);
});

test('a standing is told every quarter of an hour while it changes', async (context) => {
  const world = await begun(context);
  const told = (): number => world.arrived.filter(({ topic }) => topic === 'mf').length;
  await world.clock.run(SECOND_MS);
  assert.equal(told(), 1);
  await world.owe('measurement', 'm', 0, 1);
  for (const expected of [2, 2, 2]) {
    await world.clock.run(900 * SECOND_MS);
    assert.equal(told(), expected);
  }
  await world.stop();
  assert.equal(told(), 2);
});
