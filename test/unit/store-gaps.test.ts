import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import type { OutboxStatus } from '#control/outbox.ts';
import { outboxAnswers } from '#gateway/outboxes.ts';
import type { StreamStanding } from '#store/store.ts';
import { backTo } from '../support/older-store.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { folder } from '../support/store.ts';

async function owing(context: TestContext, runCountMax: number): Promise<OwingStore> {
  const world = new OwingStore({ directory: folder(context), runCountMax });
  await world.open();
  return world;
}

test('a gap is listed for manifests until one was heard, then forgotten', async (context) => {
  const world = await owing(context, 1);
  const { store } = world;
  await world.appendAll(
    'm',
    Array.from({ length: 1201 }, (_, value) => value),
  );
  const due = await world.due();
  const failure = { code: 'bad', message: 'bad' };
  const odd = due.filter(({ sequence }) => sequence % 2 === 1);
  await Promise.all(odd.map(({ id }) => store.quarantine(BACKEND, id, failure)));
  await world.restart();
  const ahead = await world.standing('m');
  assert.deepEqual([ahead.through, ahead.gapsOmitted, ahead.gapsToCome], [-1, 0, 344]);
  assert.deepEqual(placesOf(ahead), [689, 1199], 'people see the newest');
  assert.deepEqual(placesOf(await told(world, [])), [1, 511]);
  await world.acknowledge(due.filter(({ sequence }) => sequence % 2 === 0));
  const first = await told(world, []);
  assert.deepEqual([first.through, ...placesOf(first), first.gapsToCome], [1200, 1, 511, 344]);
  const second = await told(world, first.gaps);
  assert.deepEqual([...placesOf(second), second.gapsToCome], [513, 1023, 88]);
  await world.restart();
  const third = await told(world, second.gaps);
  assert.deepEqual([...placesOf(third), third.gapsToCome], [689, 1199, 0], 'the newest beside');
  const last = await told(world, third.gaps);
  assert.deepEqual([...placesOf(last), last.gapsOmitted], [689, 1199, 344]);
  await world.close();
  const count = new Sqlite(store.opening.file).prepare('SELECT count(*) FROM gap').pluck();
  assert.equal(count.get(), 256);
});

test('a gap that grows is told again, and of an older file each one', async (context) => {
  const world = await owing(context, 256);
  const { store } = world;
  const setAsideNext = async (): Promise<void> => {
    await world.appendAll('m', [0]);
    const [entry] = await world.due();
    await store.quarantine(BACKEND, entry?.id ?? NaN, { code: 'bad', message: 'bad' });
  };
  await setAsideNext();
  const grown = await told(world, []);
  await setAsideNext();
  const untold = async (): Promise<readonly number[]> =>
    (await told(world, [])).gaps.filter((gap) => !gap.told).map(({ last }) => last);
  await world.settled(store.told(BACKEND, keysOf(grown)));
  assert.deepEqual(await untold(), [1]);
  await world.settled(store.told(BACKEND, keysOf(await told(world, []))));
  assert.deepEqual(await untold(), []);
  await world.close();
  new Sqlite(store.opening.file).exec(backTo(3)).close();
  await world.open();
  assert.equal(world.store.opening.setAside, undefined);
  assert.deepEqual(await untold(), [1]);
  await world.close();
});

const placesOf = ({ gaps }: StreamStanding) => [gaps[0]?.first, gaps.at(-1)?.first];
const keysOf = ({ stream, epoch, gaps }: StreamStanding) =>
  gaps.map(({ first, last }) => ({ stream, epoch, first, last }));

/** What is to be told after these gaps were. */
async function told(world: OwingStore, gaps: StreamStanding['gaps']): Promise<StreamStanding> {
  const { store } = world;
  const { epoch } = store.opening;
  const keys = gaps.map(({ first, last }) => ({ stream: 'm', epoch, first, last }));
  await world.settled(store.told(BACKEND, keys));
  const [stream] = (await world.settled(store.standing(BACKEND))).streams;
  assert.ok(stream !== undefined);
  return stream;
}

test('an entry in quarantine is found however many are before it', async (context) => {
  const world = await owing(context, 1);
  const { store } = world;
  await world.appendAll(
    'm',
    Array.from({ length: 1001 }, (_, value) => value),
  );
  const due = await world.due();
  await Promise.all(
    due.map(({ id }) => store.quarantine(BACKEND, id, { code: 'bad', message: 'bad' })),
  );
  assert.equal((await store.quarantined(BACKEND)).length, 1000);
  const last = due.at(-1)?.id ?? NaN;
  const answers = outboxAnswers({ gateway: 'gw-1', backends: [BACKEND], store });
  const show = answers['/v1/outbox/*/*'];
  const { entry } = (await show?.(BACKEND, String(last))) as { entry: { sequence: number } };
  assert.equal(entry.sequence, 1000);
  const list = (await answers['/v1/outbox']?.()) as OutboxStatus;
  const [outbox] = list.backends;
  assert.deepEqual([outbox?.quarantined.length, outbox?.quarantinedOmitted], [1000, 1]);
  assert.equal((await store.counts()).backends[BACKEND]?.quarantinedEntries, 1001);
  assert.deepEqual(await store.quarantined('other', last), []);
  await world.close();
});
