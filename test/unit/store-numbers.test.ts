import assert from 'node:assert/strict';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { openStoreHere } from '#store/here.ts';
import { backTo } from '../support/older-store.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { atSecond, folder, observation, opened } from '../support/store.ts';

const HOUR_MS = 3_600_000;

test('no id is given twice, though all was acknowledged before the kill', async (context) => {
  const world = new OwingStore({ directory: folder(context) });
  await world.open();
  const given: number[] = [];
  for (let life = 0; life < 3; life += 1) {
    for (const value of [0, 1, 2]) await world.appendAll('m', [value]);
    const due = await world.due();
    given.push(...due.map(({ id }) => id));
    await world.acknowledge(due);
    await world.crash();
  }
  assert.equal(given.length, 9);
  assert.deepEqual(
    given,
    [...new Set(given)].sort((a, b) => a - b),
  );
  await world.close();
});

test('what waits is counted by the entry after a kill', async (context) => {
  const world = new OwingStore({ directory: folder(context) });
  await world.open();
  for (const stream of ['a', 'b', 'a']) await world.appendAll(stream, [0, 1]);
  const [first] = await world.due();
  assert.ok(first !== undefined);
  await world.acknowledge([first]);
  const before = (await world.store.counts()).backends[BACKEND];
  assert.deepEqual([before?.queuedEntries, before?.queuedReadings], [2, 4]);
  await world.crash();
  const after = (await world.store.counts()).backends[BACKEND];
  assert.equal(after?.queuedBytes, before?.queuedBytes);
  assert.deepEqual([after?.queuedEntries, after?.queuedReadings], [2, 4]);
  await world.close();
});

test('what was kept just before a kill is not of later than the clock', async (context) => {
  const world = new OwingStore({ directory: folder(context) });
  await world.open();
  world.clock.trust = 'unknown'; // so that nobody knows how long nothing ran
  await world.appendAll('m', [0]);
  await world.clock.run(9_000);
  await world.appendAll('m', [1]);
  await world.crash();
  const openedMs = world.clock.monotonic();
  const [, last] = await world.due();
  assert.equal(last?.committedMs, openedMs);
  await world.close();
});

test('age goes on over a kill by the clock that was trusted before it', async (context) => {
  const retention = { ageMs: HOUR_MS, bytes: 1 << 20 };
  const world = new OwingStore({ directory: folder(context), outboxes: { [BACKEND]: retention } });
  await world.open();
  await world.appendAll('m', [0]);
  await world.clock.run(9_000);
  await world.appendAll('m', [1]);
  world.clock.stepSeconds = HOUR_MS / 1000 - 5; // away for so long
  await world.crash();
  await world.appendAll('m', [2]);
  const due = await world.due();
  assert.deepEqual(
    due.map(({ sequence }) => sequence),
    [1, 2],
    'the first is over an hour old by now, the second is not',
  );
  await world.close();
});

test('what waits in a file of version 6 is counted in its streams', async (context) => {
  const directory = folder(context);
  const before = await opened(context, { directory, ...atSecond(1_800_000_000) });
  for (const [number, source] of ['a', 'b', 'a'].entries()) {
    await before.append(observation(number, source, ['one', 'two']));
  }
  const [first] = await before.due('two', 'measurement', 0, 1);
  await before.acknowledge('two', first === undefined ? [] : [first.id]);
  const { backends } = await before.counts();
  await before.close();
  new Sqlite(before.opening.file).exec(backTo(6)).close();

  const after = await openStoreHere({ directory });
  assert.equal(after.opening.setAside, undefined);
  const found = (await after.counts()).backends;
  for (const name of ['one', 'two']) {
    assert.ok((found[name]?.queuedEntries ?? 0) > 1, name);
    for (const key of ['queuedEntries', 'queuedReadings', 'queuedBytes'] as const) {
      assert.equal(found[name]?.[key], backends[name]?.[key], `${name} ${key}`);
    }
  }
  after.abandon();
});

test('of each class what is due is counted, nothing else', async (context) => {
  const world = new OwingStore({ directory: folder(context) });
  await world.open();
  for (const value of [0, 1, 2, 3]) await world.appendAll('m', [value]);
  for (const stream of ['a', 'b']) await world.appendAll(stream, [0], 'alarm');
  const [delivered, bad] = await world.due();
  assert.ok(delivered !== undefined && bad !== undefined);
  await world.acknowledge([delivered], true);
  const why = { code: 'too-large', message: 'bad' };
  await world.settled(world.store.quarantine(BACKEND, bad.id, why));
  const lanes = async () => {
    const found = (await world.store.counts()).backends[BACKEND]?.lanes;
    return [found?.measurement.entries, found?.alarm.entries, found?.bulk.entries];
  };
  assert.deepEqual(await lanes(), [2, 2, 0]);
  await world.crash();
  assert.deepEqual(await lanes(), [2, 2, 0]);
  await world.close();
});
