import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ReadingPath } from '#gateway/path.ts';
import { StoreWatch } from '#gateway/store-watch.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { policyOf } from '#policy/policy.ts';
import { Reserve } from '#store/reserve.ts';
import type { Append } from '#store/store.ts';
import { seeded } from '../support/seeded.ts';
import { BACKEND, OwingStore, observationOf } from '../support/owing-store.ts';
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

test('bulk beside an alarm takes no room from measurements', async (context) => {
  let freeBytes = PLENTY_BYTES;
  const directory = folder(context);
  const world = new OwingStore({ directory, runCountMax: 1, freeBytes: () => freeBytes });
  await world.open();
  for (let number = 0; number < 20; number += 1) {
    await world.settled(world.store.append(owed('m', 'measurement', 20_000)));
  }
  freeBytes = 0;
  const both = [owed('frames', 'bulk', 400_000), owed('alarms', 'alarm', 100)];
  await world.settled(Promise.all(both.map((append) => world.store.append(append))));

  assert.equal((await world.due('alarm')).length, 1);
  assert.ok((await world.due()).length > 10, 'room for an alarm is a few of them');
  assert.deepEqual(await world.due('bulk'), []);
  const { gaps } = await world.standing('frames');
  assert.deepEqual(
    gaps.map(({ first, last, reason }) => [first, last, reason]),
    [[0, 0, 'disk-full']],
  );
  await world.close();
});

/** Nothing to speak of for the home, and `bytes` for the back-end. */
function owed(stream: string, of: DeliveryClass, bytes: number): Append {
  const append = observation(0, stream, [BACKEND], bytes);
  const outputs = append.outputs.map((output) => ({ ...output, class: of }));
  return { ...append, observation: new Uint8Array(1), outputs };
}

test('a reserve that cannot even be begun is none, and ends nothing', (context) => {
  const file = join(folder(context), 'nowhere', 'reserve');
  const reserve = new Reserve(file, () => PLENTY_BYTES);
  assert.equal(reserve.present, false);
  assert.equal(reserve.restore(), false);
});

/** Less than the store leaves alone beside its reserve. */
const SCARCE_BYTES = 3 << 20;
const RESERVE_BYTES = 8 << 20;
/** Nothing was refused for so long. */
const RECOVERED_AFTER_MS = 60_000;
const RULE = { to: BACKEND, purpose: 'bill', sources: ['*'] } as const;
const PROFILE = '1-0:99.1.0*255';
const ENERGY = '1-0:1.8.0*255';
const RULES = [
  { ...RULE, objects: [ENERGY] },
  { ...RULE, objects: [PROFILE], class: 'bulk' },
] as const;

/** A store whose disk has `freeBytes`, and the way of a reading into it. */
async function watched(context: TestContext) {
  const disk = { freeBytes: PLENTY_BYTES };
  const directory = folder(context);
  const freeBytes = (): number => disk.freeBytes;
  const world = new OwingStore({ directory, runCountMax: 1, freeBytes });
  await world.open();
  const told: string[] = [];
  const tell = (event: string): unknown => told.push(event);
  const ports = { clock: world.clock, log: () => undefined };
  const watch = new StoreWatch({ ...ports, tell, freeBytes });
  watch.follow(world.store);
  const path = new ReadingPath(world.store, policyOf(RULES, [BACKEND]), ports, watch);
  const noise = seeded(1);
  /** Answers the code of its refusal. */
  const keep = (object: string, raw = noise.bytes(8192)): Promise<string> => {
    const reading = { object, raw, scaler: 0, unit: '' };
    return world.settled(codeOf(path.keep({ ...observationOf('m', 0), readings: [reading] })));
  };
  const reserved = (): number => statSync(join(directory, 'reserve')).size;
  return { world, disk, told, keep, reserved };
}

test('a disk that is nearly full costs the least class, tells it, and mends', async (context) => {
  const { world, disk, told, keep, reserved } = await watched(context);
  const profiles = 20;
  for (let number = 0; number < profiles; number += 1) assert.equal(await keep(PROFILE), 'none');
  disk.freeBytes = SCARCE_BYTES;
  let kept = 0;
  while (kept < 200 && (await keep(ENERGY)) === 'none') kept += 1;
  assert.ok(kept > 5 && kept < 200, `${kept} in the place of what was dropped`);
  const oldestFirst = Array.from({ length: profiles }, (_, first) => ['m_bulk', first, first]);
  const named = () => world.named.map(({ stream, first, last }) => [stream, first, last]);
  assert.deepEqual(named(), oldestFirst);
  assert.ok(world.named.every(({ reason }) => reason === 'disk-full'));
  assert.deepEqual(told, ['disk-full', 'gap'], 'an alarm, once');
  assert.equal(reserved(), RESERVE_BYTES, 'it is for acknowledgements');

  await world.acknowledge(await world.due());
  assert.equal(await keep(ENERGY), 'none', 'what is delivered makes room');
  disk.freeBytes = PLENTY_BYTES;
  await world.clock.run(RECOVERED_AFTER_MS);
  assert.equal(await keep(PROFILE), 'none');
  assert.equal(told.at(-1), 'disk-recovered');
  assert.deepEqual(named().slice(profiles), [['m', kept, kept]], 'what was refused');
  await world.close();
});
