import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere } from '#store/here.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { machineEntropy, type Entropy } from '#system/entropy.ts';
import { Acknowledger, UNDURABLE_MAX } from '#uplink/acknowledger.ts';
import { owe, temporaryFolder } from '../support/outbox.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { welcome5 } from '../support/scripted-broker.ts';
import { observation } from '../support/store.ts';
import { open, range, scene, sequencesIn, urlOf } from '../support/uplink.ts';

/** A store on a disk that refuses acknowledgements while it is `broken`. */
interface RefusingDisk {
  readonly store: Store;
  broken: boolean;
  /** Settles after refusal `number`, counted from one, when all has been done about it. */
  readonly refused: (number: number) => Promise<unknown>;
}

function refusing(store: Store): RefusingDisk {
  const full = new OperatingError('disk-full', 'no room');
  const told = new Map<number, PromiseWithResolvers<undefined>>();
  const refusal = (number: number): PromiseWithResolvers<undefined> => {
    const one = told.get(number) ?? Promise.withResolvers<undefined>();
    told.set(number, one);
    return one;
  };
  let refusals = 0;
  const refuse = (): Promise<never> => {
    refusals += 1;
    setImmediate(refusal(refusals).resolve, undefined);
    return Promise.reject(full);
  };
  const disk: RefusingDisk = {
    broken: true,
    refused: (number) => refusal(number).promise,
    store: new Proxy(store, {
      get(target, name) {
        if (name === 'acknowledge' && disk.broken) return refuse;
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...words: unknown[]): unknown => Reflect.apply(member, target, words);
      },
    }),
  };
  return disk;
}

test('what the store cannot note as delivered is noted later, never repeated', async (context) => {
  let hangUp = false;
  const { store, broker, arrivals, until } = await scene(context, () => (hangUp ? 'hang-up' : 0));
  const clock = new VirtualClock();
  const disk = refusing(store);
  await owe(store, 'p1', 0, 10);
  const uplink = open(context, disk.store, { url: urlOf(broker) }, clock);
  await until(() => sequencesIn(arrivals, 'p1').length === 10);
  await disk.refused(1);
  assert.equal(uplink.status().state.kind, 'online', 'the session is not to blame');
  clock.advance(1000);
  await disk.refused(2);

  // Neither does another session repeat them.
  hangUp = true;
  await owe(store, 'p1', 10, 1);
  await uplink.reached(({ state }) => state.kind === 'waiting');
  hangUp = false;
  const before = arrivals.length;
  disk.broken = false;
  clock.advance(5000);
  await until(() => arrivals.length > before);
  await uplink.stop();
  assert.deepEqual(sequencesIn(arrivals.slice(before), 'p1'), [10]);
  assert.equal((await store.counts()).backends['utility']?.queuedEntries, 0);
});

test('what waits to be noted as delivered is not dropped, nor named as a gap', async (context) => {
  const outboxes = { [BACKEND]: { bytes: 20_000, ageMs: 1e9 } };
  const world = new OwingStore({ directory: temporaryFolder(context), outboxes });
  await world.open();
  await world.settled(world.store.append(observation(0, 'm', [BACKEND], 15_000)));
  const disk = refusing(world.store);
  const acknowledger = new Acknowledger({
    store: disk.store,
    backend: BACKEND,
    clock: world.clock,
    entropy: machineEntropy,
    log: () => undefined,
    awaitReceipt: false,
    durable: () => undefined,
  });
  acknowledger.add(await world.due());
  await disk.refused(1);
  await world.settled(world.store.append(observation(1, 'm', [BACKEND], 15_000)));
  assert.deepEqual(world.named, []);
  assert.equal((await world.standing('m')).through, 0);
  await acknowledger.end();
  await world.close();
});

test('nothing new is sent while too much waits for the store', async (context) => {
  const { store, broker, arrivals, until } = await scene(
    context,
    () => 0,
    () => welcome5(0x21, 0, 1), // one at a time: what is in flight goes on top of the limit
  );
  const clock = new VirtualClock();
  const disk = refusing(store);
  const count = UNDURABLE_MAX + 2048;
  await owe(store, 'p1', 0, count);
  const uplink = open(context, disk.store, { url: urlOf(broker) }, clock);
  await until(() => sequencesIn(arrivals, 'p1').length >= UNDURABLE_MAX);
  await disk.refused(1);
  // A few times through the loop: another one would come right behind.
  for (let turn = 0; turn < 5; turn += 1) await store.due('utility', 'measurement', 0, 100);
  assert.ok(sequencesIn(arrivals, 'p1').length < UNDURABLE_MAX + 1024);
  disk.broken = false;
  clock.advance(1000); // less than the broker has for its answer to the last one
  await until(() => sequencesIn(arrivals, 'p1').length === count);
  await uplink.stop();
  assert.deepEqual(sequencesIn(arrivals, 'p1'), range(count));
});

test('a few acknowledgements wait for company, many are noted at once', async (context) => {
  const clock = new VirtualClock(); // it stands still: nothing happens by waiting
  const directory = join(temporaryFolder(context), 'state');
  const store = await openStoreHere({ directory, clock, commitDelayMs: 1000, runCountMax: 1 });
  context.after(() => store.abandon());
  const owed = owe(store, 'p1', 0, 1200);
  await store.flush();
  await owed;
  const due = await store.due('utility', 'measurement', 0, 2000);
  const durable = Promise.withResolvers<undefined>();
  const acknowledger = new Acknowledger({
    store,
    backend: 'utility',
    awaitReceipt: false,
    clock,
    entropy: machineEntropy,
    log: () => undefined,
    durable: () => durable.resolve(undefined),
  });
  const owedNow = async (): Promise<number> =>
    (await store.due('utility', 'measurement', 0, 2000)).length;
  acknowledger.add(due.slice(0, 1000));
  assert.equal(await owedNow(), 1200);
  acknowledger.add(due.slice(1000, 1100));
  await durable.promise;
  assert.ok((await owedNow()) <= 200);
  acknowledger.add(due.slice(1100));
  await acknowledger.idle();
  assert.equal(await owedNow(), 0);
});

/** What is drawn by lot is the middle of what may be. */
const HALF: Entropy = { ...machineEntropy, fraction: () => 0.5 };

/** An uplink whose broker hangs up on each message until it is told to take them. */
async function hungUpOn(context: TestContext) {
  const taking = { messages: false };
  const { store, broker } = await scene(context, () => (taking.messages ? 0 : 'hang-up'));
  const clock = new VirtualClock();
  await owe(store, 'p1', 0, 1);
  const uplink = open(context, store, { url: urlOf(broker) }, clock, HALF);
  /** Loses a session; answers how long it waits, which is three quarters of what it might. */
  const lost = async (): Promise<number> => {
    const { state } = await uplink.reached((status) => status.state.kind === 'waiting');
    assert.ok(state.kind === 'waiting');
    return state.retryMs;
  };
  const again = async (): Promise<void> => {
    clock.advance(20_000); // an outage too short to spread what is owed
    await uplink.reached((status) => status.state.kind === 'online');
  };
  return { store, clock, uplink, taking, lost, again };
}

/** Settles when nothing is owed any more. */
async function noneOwed(store: Store): Promise<void> {
  while ((await store.due('utility', 'measurement', 0, 1)).length > 0);
}

test('a birth makes no success of a session, a durable acknowledgement does', async (context) => {
  const { store, uplink, taking, lost, again } = await hungUpOn(context);
  const waits = [await lost()];
  await again();
  waits.push(await lost());
  taking.messages = true;
  await again();
  await noneOwed(store);
  taking.messages = false;
  await owe(store, 'p1', 1, 1);
  waits.push(await lost());
  await uplink.stop();
  assert.deepEqual(waits, [750, 1500, 750]);
});

for (const [quietMs, waitMs, what] of [
  [59_999, 6000, 'three quarters of a fourth failure'],
  [60_000, 2000, 'half of four seconds, as a first loss'],
] as const) {
  test(`after ${quietMs} quiet ms the wait is ${what}`, async (context) => {
    const { store, clock, lost, again } = await hungUpOn(context);
    const takeBack = async (): Promise<void> => {
      const [owed] = await store.due('utility', 'measurement', 0, 1);
      await store.acknowledge('utility', [owed?.id ?? 0]);
    };
    assert.equal(await lost(), 750);
    await again();
    assert.equal(await lost(), 1500);
    await takeBack(); // over one message it would hang up three times and no more
    await owe(store, 'p1', 1, 1);
    await again();
    assert.equal(await lost(), 3000);
    await takeBack();
    await again();
    clock.advance(quietMs);
    await owe(store, 'p1', 2, 1);
    assert.equal(await lost(), waitMs);
  });
}

test('a page of the outbox is no longer in memory when the next one is read', async (context) => {
  const { store, broker, arrivals, until } = await scene(context, () => 0);
  await owe(store, 'm', 0, 1500); // the pages have 1024 entries at most
  const pages: (readonly DueEntry[])[] = [];
  const due: Store['due'] = async (...words) => {
    const page = await store.due(...words);
    if (words[1] === 'measurement') pages.push(page);
    return page;
  };
  const watched = new Proxy(store, {
    get(target, name) {
      if (name === 'due') return due;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const uplink = open(context, watched, { url: urlOf(broker) });
  await until(() => sequencesIn(arrivals, 'm').length === 1500);
  await uplink.stop();
  const [first = []] = pages;
  assert.equal(first.length, 1024);
  assert.deepEqual(new Set(first.map(({ records }) => records.length)), new Set([0]));
  assert.deepEqual(sequencesIn(arrivals, 'm'), range(1500));
});
