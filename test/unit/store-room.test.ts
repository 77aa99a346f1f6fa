import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRecords } from '#reading/senml.ts';
import type { DueEntry } from '#store/store.ts';
import { BACKEND, OwingStore, observationOf } from '../support/owing-store.ts';
import { folder, observation } from '../support/store.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('the records of a page lie in one buffer, which changes threads', async (context) => {
  const world = new OwingStore({ directory: folder(context), runCountMax: 1 });
  await world.open();
  await world.appendAll('m', upTo(3));
  const due = await world.due();
  assert.equal(due.length, 3);
  assert.equal(new Set(due.map(({ records }) => records.buffer)).size, 1);
  const forms = upTo(3).map((value) => encodeRecords(observationOf('m', value)).records);
  assert.deepEqual(
    due.map(({ records }) => [...records]),
    forms.map((form) => [...form]),
  );
  await world.close();
});

/** Eight entries of class bulk. */
async function owedBulk(world: OwingStore): Promise<readonly DueEntry[]> {
  await world.open();
  for (const number of upTo(8)) {
    const { outputs, ...append } = observation(number, 'm', [BACKEND], 8192);
    const bulk = outputs.map((output) => ({ ...output, class: 'bulk' as const }));
    await world.settled(world.store.append({ ...append, outputs: bulk }));
  }
  const due = await world.due('bulk');
  assert.equal(due.length, 8);
  return due;
}

function named({ named: gaps }: OwingStore): unknown[] {
  return gaps.map(({ stream, first, reason }) => [stream, first, reason]);
}

test('a full disk drops nothing whose acknowledgement comes with the batch', async (context) => {
  let freeBytes = 1e9;
  const options = { runCountMax: 1, freeBytes: () => freeBytes };
  const world = new OwingStore({ directory: folder(context), ...options });
  const due = await owedBulk(world);
  freeBytes = 0;
  const ids = due.slice(0, 3).map(({ id }) => id);
  const noted = world.store.acknowledge(BACKEND, ids);
  const larger = world.store.append(observation(8, 'n', [BACKEND], 16_384));
  await world.settled(Promise.all([noted, larger]));
  assert.deepEqual(
    named(world),
    [3, 4, 5, 6, 7].map((first) => ['m', first, 'disk-full']),
  );
  await world.close();
});

test('a full disk names nothing that the uplink holds as delivered', async (context) => {
  let freeBytes = 1e9;
  const options = { runCountMax: 1, freeBytes: () => freeBytes };
  const world = new OwingStore({ directory: folder(context), ...options });
  const due = await owedBulk(world);
  freeBytes = 0;
  const ids = due.slice(0, 3).map(({ id }) => id);
  const letGo = world.store.holdDelivered(BACKEND, () => ids, { awaitReceipt: false });
  await world.settled(world.store.append(observation(8, 'n', [BACKEND], 16_384)));
  assert.deepEqual(
    named(world),
    [3, 4, 5, 6, 7].map((first) => ['m', first, 'disk-full']),
  );
  letGo();
  await world.acknowledge(due.slice(0, 3)); // late, and they have been noted
  await world.close();
});

test('no bound of age or bytes names what the uplink holds as delivered', async (context) => {
  for (const [bytes, ageMs] of [
    [20_000, 1e9],
    [1e9, 10_000],
  ] as const) {
    const outboxes = { [BACKEND]: { bytes, ageMs } };
    const world = new OwingStore({ directory: folder(context), runCountMax: 1, outboxes });
    await world.open();
    await world.settled(world.store.append(observation(0, 'm', [BACKEND], 15_000)));
    const ids = (await world.due()).map(({ id }) => id);
    assert.equal(ids.length, 1);
    world.store.holdDelivered(BACKEND, () => ids, { awaitReceipt: false });
    if (ageMs < 1e9) await world.clock.run(2 * ageMs);
    await world.settled(world.store.append(observation(1, 'm', [BACKEND], 15_000)));
    assert.deepEqual(named(world), []);
    assert.equal((await world.standing('m')).through, 0);
    await world.close();
  }
});
