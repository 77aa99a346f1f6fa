import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LatestReadings } from '#gateway/latest.ts';
import { ReadingPath } from '#gateway/path.ts';
import { Throttle } from '#gateway/throttle.ts';
import { policyOf } from '#policy/policy.ts';
import type { Observation, RawValue } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStore } from '#store/open.ts';

const TIME = { second: 1_795_219_200, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;

function observation(objects: readonly string[], raw: RawValue = 1): Observation {
  const readings = objects.map((object) => ({ object, raw, scaler: 0, unit: 'Wh' }));
  return { source: 'meter', time: TIME, quality: ['questionable'], readings };
}

test('the newest readings are remembered in order, without what came with them', () => {
  const latest = new LatestReadings();
  latest.remember(observation(['a', 'b', 'c'], 1));
  latest.remember(observation(['a'], 2));
  const shown = latest.newest(2).map(({ reading }) => [reading.object, reading.raw]);
  assert.deepEqual(shown, [
    ['c', 1],
    ['a', 2],
  ]);
  assert.deepEqual(latest.newest(1)[0]?.quality, ['questionable']);
});

test('a device that names ever new objects and long texts does not fill the memory', () => {
  const latest = new LatestReadings();
  for (let index = 0; index < 3000; index += 1) {
    latest.remember(observation([`object-${index}`], 'x'.repeat(16_384)));
  }
  const all = latest.newest(Infinity);
  assert.equal(all.length, 1000);
  assert.equal(all.at(-1)?.reading.object, 'object-2999');
  assert.ok(all.every(({ reading }) => String(reading.raw).length <= 256));
});

test('an event is told once a minute, with the number of those passed over', () => {
  const clock = new VirtualClock();
  const throttle = new Throttle(clock);
  assert.equal(throttle.quietSince('bad-crc'), 0);
  assert.equal(throttle.quietSince('bad-crc'), undefined);
  assert.equal(throttle.quietSince('silent'), 0, 'another event has its own minute');
  clock.advance(59_999);
  assert.equal(throttle.quietSince('bad-crc'), undefined);
  clock.advance(1);
  assert.equal(throttle.quietSince('bad-crc'), 2);
});

test('what is taken is stored, owed as policy says, and told when refused', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'normd-path-'));
  context.after(() => rm(directory, { recursive: true }));
  const clock = new VirtualClock();
  const store = await openStore({ directory });
  context.after(() => store.close());
  const lines: string[] = [];
  const rules = [{ to: 'utility', purpose: 'bill', sources: ['meter'], objects: ['1-0:1.8.*'] }];
  const path = new ReadingPath(store, policyOf(rules, ['utility']), clock, (level, event) => {
    lines.push(`${level} ${event}`);
  });
  const due = new Promise<void>((resolve) => store.onDue('utility', resolve));
  path.take(observation(['1-0:1.8.0*255', '1-0:32.7.0*255']));
  await due;
  await store.counts(); // answered after the confirmation of what was appended before
  assert.deepEqual(
    { ...path.counts('meter'), latest: undefined },
    {
      taken: 2,
      stored: 2,
      refused: 0,
      latest: undefined,
    },
  );
  const [entry] = await store.due('utility', 0, 10);
  assert.equal(entry?.readings, 1, 'only what the rule names is owed');
  await store.close();
  for (let count = 0; count < 5; count += 1) path.take(observation(['1-0:1.8.0*255']));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(path.counts('meter').refused, 5);
  assert.deepEqual(lines, ['error store.refused'], 'told once, not five times');
});
