import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere } from '#store/here.ts';
import { openStore } from '#store/open.ts';
import type { SetAside, Store } from '#store/store.ts';
import { codeOf, folder, numberOf, observation } from '../support/store.ts';

test('a store that is killed keeps what it confirmed, and forgets what waited', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock();
  const first = await openStoreHere({ directory, clock });
  const settled: string[] = [];
  const kept = first.append(observation(0, 'meter', ['utility']));
  await clock.run(10);
  await kept;
  const log = statSync(`${first.opening.file}-wal`).size;
  assert.ok(log > 0);
  void first.append(observation(1, 'meter', ['utility'])).finally(() => settled.push('append'));
  void first.due('utility', 'measurement', 0, 10).finally(() => settled.push('due'));
  first.abandon();
  void first.counts().finally(() => settled.push('counts'));
  assert.equal(statSync(`${first.opening.file}-wal`).size, log, 'as after a kill');
  await clock.run(1000);
  assert.deepEqual(settled, []);

  const second = await openStoreHere({ directory, clock });
  const { file, epoch } = first.opening;
  const believedMs = clock.wall().second * 1000 - 1000 + 10;
  assert.deepEqual(second.opening, { file, epoch, believedMs });
  const due = await second.due('utility', 'measurement', 0, 10);
  assert.deepEqual(
    due.map(({ sequence, records }) => [sequence, numberOf(records)]),
    [[0, 0]],
  );
  await second.close();
});

test('a kill between a commit and its answer leaves it kept, unconfirmed', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock();
  const first = await openStoreHere({ directory, clock, answerDelayMs: 5 });
  let confirmed = false;
  void first.append(observation(0, 'meter', ['utility'])).then(() => (confirmed = true));
  await clock.run(12);
  first.abandon();
  await clock.run(100);
  assert.equal(confirmed, false);
  const second = await openStoreHere({ directory, clock });
  assert.equal((await second.due('utility', 'measurement', 0, 10)).length, 1);
  await second.close();
});

test('a store in this thread answers like one in its own', async (context) => {
  const directory = folder(context);
  const here = await openStoreHere({ directory });
  assert.equal(await codeOf(openStore({ directory })), 'store-locked');
  await here.append(observation(0, 'meter', ['utility'], 1 << 16));
  // All but when it was committed: the monotonic clock goes on while no store is open.
  const answers = async (store: Store) => {
    const due = await store.due('utility', 'measurement', 0, 10);
    const { lanes, ...counts } = (await store.counts()).backends['utility'] ?? {};
    return [
      due.map(({ committedMs, ...entry }) => [entry, committedMs > 0]),
      await store.observations('meter', 0, 10),
      [counts, lanes?.measurement.entries],
      (await store.standing('utility')).streams,
    ];
  };
  const before = await answers(here);
  const closed = here.close();
  assert.equal(await codeOf(here.counts()), 'store-closed');
  await closed;
  const inThread = await openStore({ directory });
  assert.deepEqual(await answers(inThread), before);
  await inThread.close();

  const again = await openStoreHere({ directory });
  const { file } = again.opening;
  writeFileSync(file, readFileSync(file).fill(0xff, 1024));
  const { promise, resolve } = Promise.withResolvers<SetAside>();
  again.onSetAside(resolve);
  assert.equal(await codeOf(again.due('utility', 'measurement', 0, 10)), 'store-damaged');
  assert.equal((await promise).failure.code, 'store-damaged');
  await again.close();
});
