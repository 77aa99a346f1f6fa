import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { OperatingError } from '#bytes/failure.ts';
import { DELIVERY_CLASSES, type DeliveryClass } from '#policy/delivery-class.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { Committer } from '#store/committer.ts';
import type { HereOptions } from '#store/here.ts';
import type { Batch } from '#store/messages.ts';
import type { Kept, Owed, Store } from '#store/store.ts';
import { BACKEND, OwingStore, chainOf, spans } from '../support/owing-store.ts';
import { codeOf, folder, numberOf, observation } from '../support/store.ts';

const FOR_EVER_MS = 1e12;

async function owing(
  context: TestContext,
  options: Omit<HereOptions, 'directory'> = {},
): Promise<OwingStore> {
  const world = new OwingStore({ directory: folder(context), ...options });
  await world.open();
  return world;
}

const bounded = (ageMs: number, bytes: number) => ({ outboxes: { [BACKEND]: { ageMs, bytes } } });
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const pairs = (count: number) => upTo(count).map((number) => [number, number] as const);

test('each class has a lane of its own, and a stream keeps its class', async (context) => {
  const world = await owing(context);
  for (const of of DELIVERY_CLASSES.toReversed()) await world.appendAll(`m_${of}`, [0, 1], of);
  for (const of of DELIVERY_CLASSES) {
    assert.deepEqual(
      (await world.due(of)).map(({ stream, count }) => [stream, count]),
      [[`m_${of}`, 2]],
    );
  }
  const woken: string[] = [];
  world.store.onDue(BACKEND, (owed) => woken.push(...Object.keys(owed)));
  await world.appendAll('m_bulk', [2], 'command');
  assert.deepEqual(spans(await world.due('bulk')), [
    [0, 1],
    [2, 2],
  ]);
  assert.equal((await world.due('command')).length, 1);
  assert.deepEqual(woken, ['bulk']);
  await world.close();
});

for (const runCountMax of [1, 2, 256]) {
  const title = `in runs of ${runCountMax} the chain is that of the contract, whatever happens`;
  test(title, async (context) => {
    const world = await owing(context, { runCountMax });
    await world.appendAll('m', upTo(5));
    await world.crash();
    await world.appendAll('m', [5, 6]);
    const due = await world.due();
    await world.acknowledge(due.slice(1)); // before their turn
    assert.equal((await world.standing('m')).through, -1);
    assert.deepEqual(await world.due(), due);
    await world.acknowledge(due.slice(0, 1));
    await world.restart();
    const first = spans(due)[0]?.[1] ?? -1;
    assert.equal((await world.standing('m')).through, first);
    assert.deepEqual((await world.standing('m')).chain, chainOf('m', pairs(first + 1)));
    await world.acknowledge([...due, ...due]);
    await world.crash();
    await world.acknowledge(due);
    const { through, chain, next } = await world.standing('m');
    assert.deepEqual([through, next], [6, 7]);
    assert.deepEqual(chain, chainOf('m', pairs(7)));
    assert.deepEqual(await world.due(), []);
    await world.close();
  });
}

test('beyond its bytes an outbox drops the least urgent, oldest first', async (context) => {
  const world = await owing(context, { ...bounded(FOR_EVER_MS, 300), runCountMax: 1 });
  await world.appendAll('b', upTo(2), 'bulk');
  await world.appendAll('m', upTo(2));
  await world.appendAll('a', upTo(40), 'alarm');
  assert.deepEqual(await world.due('bulk'), []);
  assert.deepEqual(await world.due('measurement'), []);
  const alarms = await world.due('alarm');
  const dropped = alarms[0]?.sequence ?? 0;
  assert.ok(dropped > 0 && alarms.length > 1);
  assert.deepEqual(spans(alarms), pairs(40).slice(dropped));
  const gaps = async (stream: string) =>
    (await world.standing(stream)).gaps.map(({ first, last, reason }) => [first, last, reason]);
  assert.deepEqual(await gaps('b'), [[0, 1, 'bytes']]);
  assert.deepEqual(await gaps('m'), [[0, 1, 'bytes']]);
  assert.deepEqual(await gaps('a'), [[0, dropped - 1, 'bytes']]);
  const order = world.named.map(({ stream }) => stream);
  assert.deepEqual(
    order,
    order.toSorted((x, y) => 'bma'.indexOf(x) - 'bma'.indexOf(y)),
  );
  const { through, chain } = await world.standing('a');
  assert.equal(through, dropped - 1);
  assert.deepEqual(chain, chainOf('a', []), 'a gap leaves the chain');
  await world.acknowledge(alarms);
  const rest = pairs(40).slice(dropped);
  assert.deepEqual((await world.standing('a')).chain, chainOf('a', rest));
  await world.close();
});

test('what is too old is dropped and named; no step of the wall makes it so', async (context) => {
  const world = await owing(context, { ...bounded(10_000, 1e9), runCountMax: 1 });
  await world.appendAll('m', [0]);
  await world.clock.run(1_000);
  for (const stepSeconds of [86_400, -86_400, 0]) {
    world.clock.stepSeconds = stepSeconds;
    await world.appendAll('m', [1]);
  }
  assert.equal((await world.due()).length, 4);
  await world.clock.run(9_000);
  await world.appendAll('m', [2]);
  assert.deepEqual(spans(await world.due()), pairs(5).slice(1), 'the first only');
  assert.deepEqual(
    world.named.map(({ first, last, reason, stream }) => [stream, first, last, reason]),
    [['m', 0, 0, 'age']],
  );
  await world.close();
});

test('time away counts only where the clock was trusted before and after', async (context) => {
  for (const [before, after, left] of [
    ['trusted', 'trusted', 1],
    ['trusted', 'untrusted', 2],
    ['untrusted', 'trusted', 2],
    ['trusted', 'unknown', 2], // a clock that nobody has set may have woken up years ahead
    ['unknown', 'trusted', 2],
  ] as const) {
    const world = await owing(context, bounded(10_000, 1e9));
    world.clock.trust = before;
    await world.appendAll('m', [0]);
    await world.close();
    world.clock.stepSeconds = 20;
    world.clock.trust = after;
    await world.open();
    await world.appendAll('m', [1]);
    assert.equal((await world.due()).length, left, `${before}, ${after}`);
    await world.close();
  }
});

test('quarantine names an entry once; it can be sent again, or be forgotten', async (context) => {
  const world = await owing(context, { runCountMax: 1 });
  await world.appendAll('m', upTo(6));
  const due = await world.due();
  const failure = { code: 'packet-too-large', message: 'too large' };
  const [zero, one, two, three] = due;
  assert.ok(zero && one && two && three);
  for (const { id } of [two, three, one]) await world.store.quarantine(BACKEND, id, failure);
  await world.store.quarantine(BACKEND, one.id, failure);
  await world.crash();
  assert.equal((await world.standing('m')).through, -1, 'the first is still to come');
  const quarantined = await world.store.quarantined(BACKEND);
  assert.deepEqual(
    quarantined.map(({ sequence, code }) => [sequence, code]),
    [1, 2, 3].map((sequence) => [sequence, 'packet-too-large']),
  );
  assert.ok(await world.store.resend(BACKEND, two.id));
  assert.ok(!(await world.store.resend(BACKEND, two.id)));
  assert.ok(!(await world.store.discard(BACKEND, two.id)));
  assert.ok(await world.store.discard(BACKEND, three.id));
  await world.restart();
  assert.deepEqual(
    (await world.due()).map(({ sequence }) => sequence),
    [0, 2, 4, 5],
  );
  await world.acknowledge([zero]);
  const { through, chain, gaps } = await world.standing('m');
  assert.equal(through, 3);
  assert.deepEqual(chain, chainOf('m', [[0, 0]]));
  assert.deepEqual(
    gaps
      .map(({ first, last }) => [first, last])
      .flat()
      .toSorted(),
    [1, 1, 2, 3],
  );
  await world.acknowledge([two]); // a number that is named does not move the chain
  assert.deepEqual((await world.standing('m')).chain, chain);
  await world.acknowledge([one]); // late, and it has been set aside
  assert.deepEqual(await world.store.quarantined(BACKEND), []);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 2);
  assert.equal(world.named.length, 3);
  await world.close();
});

test('what the bounds take from quarantine is not named twice', async (context) => {
  const world = await owing(context, { ...bounded(10_000, 1e9), runCountMax: 1 });
  await world.appendAll('m', upTo(4));
  const due = await world.due();
  const failure = { code: 'bad', message: 'bad' };
  for (const { id } of due.slice(1, 3)) await world.store.quarantine(BACKEND, id, failure);
  await world.clock.run(10_001);
  await world.crash();
  await world.appendAll('m', [4]);
  assert.deepEqual(await world.store.quarantined(BACKEND), []);
  const { through, gaps } = await world.standing('m');
  assert.equal(through, 3);
  assert.deepEqual(
    gaps.map(({ first, last, reason }) => [first, last, reason]),
    [
      [0, 0, 'age'],
      [1, 2, 'quarantined'],
      [3, 3, 'age'],
    ],
  );
  const numbers = world.named.flatMap(({ first, last }) =>
    upTo(last - first + 1).map((n) => first + n),
  );
  assert.deepEqual(numbers.toSorted(), [0, 1, 2, 3]);
  await world.close();
});

test('with receipts all is kept until the back-end tells; holes are due again', async (context) => {
  const world = await owing(context, { runCountMax: 2 });
  await world.appendAll('m', upTo(8));
  const { epoch } = world.store.opening;
  const due = await world.due();
  await world.acknowledge(due.slice(0, 3), true);
  await world.crash();
  assert.deepEqual(spans(await world.due()), [[6, 7]]);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 4);
  const { chain } = await world.standing('m');
  assert.deepEqual(chain, chainOf('m', pairs(6)));
  const receipt = { stream: 'm', epoch, through: 4, holes: [[3, 3]] } as const;
  await world.store.receive(BACKEND, [receipt, { ...receipt, epoch: epoch + 1 }]);
  assert.deepEqual(spans(await world.due()), [
    [2, 3],
    [6, 7],
  ]);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 3, '4–5 stays');
  await world.acknowledge(await world.due(), true);
  assert.deepEqual((await world.standing('m')).chain, chainOf('m', pairs(8)));
  await world.restart();
  await world.store.receive(BACKEND, [{ stream: 'm', epoch, through: 7, holes: [] }]);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 0);
  assert.deepEqual(world.named, []);
  await world.close();
});

test('receipts for many streams each release their own, lane by lane', async (context) => {
  const world = await owing(context, { runCountMax: 1 });
  const { epoch } = world.store.opening;
  for (const [stream, of] of LANES_OF_STREAMS) {
    await world.appendAll(stream, [0, 1, 2], of);
    await world.acknowledge(await world.due(of), true);
  }
  const woken: Owed[] = [];
  world.store.onDue(BACKEND, (owed) => woken.push(owed));
  const receipts = [
    { stream: 'a', epoch, through: 1, holes: [] },
    { stream: 'b', epoch, through: 2, holes: [[0, 0]] },
    { stream: 'c_alarm', epoch, through: 2, holes: [[1, 2]] },
    { stream: 'unknown', epoch, through: 2, holes: [] },
  ] as const;
  await world.store.receive(BACKEND, receipts);
  const shown = async (of: DeliveryClass): Promise<readonly string[]> =>
    (await world.due(of)).map(({ stream, sequence }) => `${stream} ${sequence}`);
  assert.deepEqual(await shown('measurement'), ['b 0']);
  assert.deepEqual(await shown('alarm'), ['c_alarm 1', 'c_alarm 2']);
  assert.deepEqual(woken.flatMap((owed) => Object.keys(owed)).sort(), ['alarm', 'measurement']);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 7, 'a 2 and d stay');
  await world.close();
});

test('receipts over a long backlog let others be served between', async (context) => {
  const world = await owing(context, { runCountMax: 1 });
  const { epoch } = world.store.opening;
  await world.appendAll('m', upTo(4_500));
  await world.acknowledge(await world.due(), true);
  const order: string[] = [];
  const received = world.store
    .receive(BACKEND, [{ stream: 'm', epoch, through: 4_499, holes: [[4_000, 4_000]] }])
    .then(() => order.push('received'));
  const counted = world.store.counts().then(() => order.push('counted'));
  await Promise.all([received, counted]);
  assert.deepEqual(order, ['counted', 'received']);
  assert.deepEqual(spans(await world.due()), [[4_000, 4_000]]);
  assert.equal((await world.store.counts()).backends[BACKEND]?.queuedEntries, 1);
  await world.close();
});

const LANES_OF_STREAMS = [
  ['a', 'measurement'],
  ['b', 'measurement'],
  ['c_alarm', 'alarm'],
  ['d', 'measurement'],
] as const;

test('appends that found no room take numbers before those that did', async () => {
  const clock = new VirtualClock();
  const committed: Batch[] = [];
  let full = true;
  const committer = new Committer({
    clock,
    delayMs: 10,
    now: () => ({ openMs: 0 }),
    async commit(batch) {
      await Promise.resolve();
      if (full && batch.kept.length > 0) throw new OperatingError('disk-full', 'no room');
      committed.push(batch);
    },
  });
  const refused = [0, 1, 2].map((n) => codeOf(committer.append(observation(n, 'm', [BACKEND]))));
  await committer.flush();
  assert.deepEqual(await Promise.all(refused), ['disk-full', 'disk-full', 'disk-full']);
  const acknowledged = committer.acknowledge({ backend: BACKEND, ids: [1], awaitReceipt: false });
  await committer.flush();
  await acknowledged;
  full = false;
  const kept = committer.append(observation(3, 'm', [BACKEND]));
  await committer.flush();
  await kept;
  assert.deepEqual(
    committed.map(({ skipped }) => skipped.map(({ stream, count }) => [stream, count])),
    [[], [['m', 3]]],
    'not with acknowledgements, which must fit',
  );
});

async function paged(store: Store, source: string, limit: number): Promise<readonly Kept[]> {
  const all: Kept[] = [];
  for (;;) {
    const page = await store.observations(source, all.at(-1)?.id ?? 0, limit);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

test('what is kept at home is paged alike while rows become segments', async (context) => {
  const world = await owing(context);
  const { store } = world;
  const numbers = (kept: readonly Kept[]) => kept.map(({ observation: bytes }) => numberOf(bytes));
  let read: readonly Kept[] = [];
  for (let number = 0; number < 150; number += 1) {
    const size = number % 50 === 20 ? 10_000 : 900; // a large one has a row of its own at once
    const work = ['x', 'y'].map((source) => store.append(observation(number, source, [], size)));
    await world.settled(Promise.all(work));
    if (number === 40) read = await paged(store, 'x', 1);
  }
  assert.deepEqual(numbers(read), upTo(41));
  const more = await store.observations('x', read.at(-1)?.id ?? 0, 1000);
  assert.deepEqual(numbers(more), upTo(150).slice(41), 'goes on where it was');
  for (const limit of [1, 7, 140]) {
    assert.deepEqual(numbers(await store.newest('x', limit)), upTo(150).slice(-limit));
    assert.deepEqual(numbers(await paged(store, 'x', limit)), upTo(150));
    assert.deepEqual(numbers(await paged(store, 'y', limit)), upTo(150));
  }
  await world.close();
});

test('a store of version 1 is brought over: what was owed goes out as it was', async (context) => {
  const directory = folder(context);
  mkdirSync(directory, { recursive: true });
  const tables = new URL('../support/store-version-1.sql', import.meta.url);
  new Sqlite(join(directory, 'store.db')).exec(readFileSync(tables, 'utf8')).close();
  const world = new OwingStore({ directory });
  await world.open();
  const { store } = world;
  assert.equal(store.opening.setAside, undefined);
  assert.ok(store.opening.epoch > 1_700_000_000);
  await world.appendAll('meter', [0]);
  await world.settled(store.append(observation(5, 'meter', [])));
  const due = await world.due();
  assert.deepEqual(
    due.map(({ stream, epoch, sequence, count }) => [stream, epoch, sequence, count]),
    [
      ['meter', 1_700_000_000, 2, 1],
      ['meter', 1_700_000_000, 3, 1],
      ['meter', store.opening.epoch, 0, 1],
    ],
  );
  assert.deepEqual(
    due.slice(0, 2).map(({ records }) => numberOf(records)),
    [3, 4],
  );
  const old = await world.standing('meter', 1_700_000_000);
  assert.deepEqual([old.through, old.next, old.chain], [1, 4, undefined]);
  await world.acknowledge(due);
  assert.equal((await world.standing('meter', 1_700_000_000)).through, 3);
  assert.deepEqual((await world.standing('meter')).chain, chainOf('meter', [[0, 0]]));
  for (const limit of [1, 3]) {
    const kept = await paged(store, 'meter', limit);
    assert.deepEqual(
      kept.map(({ takenMs }) => takenMs).slice(0, 4),
      [1, 2, 3, 4].map((second) => 1_700_000_000_000 + second * 1000),
    );
    assert.equal(kept.length, 6);
  }
  assert.equal((await store.counts()).backends[BACKEND]?.queuedEntries, 0);
  await world.close();
});
