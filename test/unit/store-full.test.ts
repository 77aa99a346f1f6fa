import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Reserve } from '#store/reserve.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { codeOf, folder, observation } from '../support/store.ts';

const PLENTY_BYTES = 1e12;
const OWED = 300;

/** A store with a backlog whose disk has become full, so that an append was refused. */
async function full(context: TestContext): Promise<{ world: OwingStore; refill: () => void }> {
  let freeBytes = PLENTY_BYTES;
  const directory = folder(context);
  const world = new OwingStore({ directory, runCountMax: 1, freeBytes: () => freeBytes });
  await world.open();
  const numbers = Array.from({ length: OWED }, (_, number) => number);
  await world.appendAll('m', numbers);
  freeBytes = 0;
  const large = observation(0, 'm', [BACKEND], 500_000);
  assert.equal(await world.settled(codeOf(world.store.append(large))), 'disk-full');
  return { world, refill: () => (freeBytes = PLENTY_BYTES) };
}

test('what a full disk refused is named when normd stops before the next one', async (context) => {
  const { world, refill } = await full(context);
  await world.close();
  refill();
  await world.open();
  const { gaps, next } = await world.standing('m', world.store.opening.epoch);
  assert.deepEqual(
    gaps.map(({ first, last, reason }) => [first, last, reason]),
    [[OWED, OWED, 'disk-full']],
  );
  assert.equal(next, OWED + 1);
  await world.close();
});

test('on a full disk what a broker refuses still goes into quarantine', async (context) => {
  const { world } = await full(context);
  const message = 'refused '.repeat(500);
  for (const { id } of (await world.due()).slice(0, 10)) {
    await world.store.quarantine(BACKEND, id, { code: 'too-large', message });
  }
  const { number } = await world.store.standing(BACKEND);
  assert.ok(number > 0);
  assert.equal((await world.store.quarantined(BACKEND)).length, 10);
  await world.close();
});

test('a reserve that cannot even be begun is none, and ends nothing', (context) => {
  const file = join(folder(context), 'nowhere', 'reserve');
  const reserve = new Reserve(file, () => PLENTY_BYTES);
  assert.equal(reserve.present, false);
  assert.equal(reserve.restore(), false);
});
