import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRecords } from '#reading/senml.ts';
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

test('a full disk drops nothing whose acknowledgement comes with the batch', async (context) => {
  let freeBytes = 1e9;
  const options = { runCountMax: 1, freeBytes: () => freeBytes };
  const world = new OwingStore({ directory: folder(context), ...options });
  await world.open();
  for (const number of upTo(8)) {
    const { outputs, ...append } = observation(number, 'm', [BACKEND], 8192);
    const bulk = outputs.map((output) => ({ ...output, class: 'bulk' as const }));
    await world.settled(world.store.append({ ...append, outputs: bulk }));
  }
  const due = await world.due('bulk');
  assert.equal(due.length, 8);
  freeBytes = 0;
  const ids = due.slice(0, 3).map(({ id }) => id);
  const noted = world.store.acknowledge(BACKEND, ids);
  const larger = world.store.append(observation(8, 'n', [BACKEND], 16_384));
  await world.settled(Promise.all([noted, larger]));
  assert.deepEqual(
    world.named.map(({ stream, first, reason }) => [stream, first, reason]),
    [3, 4, 5, 6, 7].map((first) => ['m', first, 'disk-full']),
  );
  await world.close();
});
