import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Store } from '#store/store.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

const HOUR_MS = 3_600_000;
/** From midnight, when the clock begins, three hours are left. */
const NIGHTLY = { cron: '0 3 * * *', minutes: 10, timeZone: 'UTC' };

/** A link that its schedule closes; the process ends with the test. */
async function metered(
  context: TestContext,
  before?: (store: Store) => Promise<void>,
): Promise<VirtualUplink> {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, uplink: { connect: NIGHTLY } });
  context.after(() => world.kill());
  await world.start(before);
  return world;
}

const topicsIn = ({ arrived }: VirtualUplink): string[] => arrived.map(({ topic }) => topic);

test('an alarm opens a link that its schedule closes, for what is urgent', async (context) => {
  const world = await metered(context);
  const { clock, uplink, dials, arrived } = world;
  await world.owe('measurement', 'm', 0, 100);
  await clock.run(HOUR_MS);
  assert.deepEqual(dials, [], 'what is not urgent waits for the window');
  assert.equal(uplink.status().lastFailure, undefined);

  const owedMs = clock.monotonic();
  await world.owe('alarm', 'm_alarm', 0, 1);
  await clock.run(2000);
  const alarm = arrived.find(({ topic }) => topic === 'up/m_alarm');
  assert.ok((alarm?.atMs ?? Infinity) - owedMs < 1000);
  await world.owe('command', 'm_command', 0, 1);
  await clock.run(20_000);
  assert.equal(dials.length, 1, 'what followed took the same session');
  assert.equal(uplink.status().state.kind, 'waiting');
  const told = ['st', 'up/m_alarm', 'up/m_command', 'st'];
  assert.deepEqual(topicsIn(world), told, 'neither a measurement nor a manifest');
  const [alarmAt = NaN, leftAt = NaN] = [arrived[2]?.atMs, arrived[3]?.atMs];
  assert.ok(leftAt - alarmAt >= 10_000 && leftAt - alarmAt <= 21_000, `${leftAt - alarmAt} ms`);

  await clock.run(HOUR_MS);
  assert.equal(dials.length, 1);
  await clock.run(HOUR_MS);
  assert.ok(topicsIn(world).includes('up/m'), 'the window is for everything');
});

test('an event that wakes somebody opens it, and one that does not waits', async (context) => {
  const { clock, uplink, dials, arrived } = await metered(context);
  uplink.tell('disk-recovered', { freeBytes: 1 });
  await clock.run(60_000);
  assert.deepEqual(dials, []);
  uplink.tell('disk-full', { freeBytes: 1 });
  await clock.run(1000);
  const told = arrived.map(({ topic }) => topic);
  assert.deepEqual(told, ['st', 'ev', 'ev'], 'on one way with those that waited');
});

test('an urgent session that leaves something due is not begun again at once', async (context) => {
  const world = await metered(context);
  const { clock, dials } = world;
  world.fate = ({ topic }) =>
    topic.endsWith('_alarm')
      ? { ...TAKEN, refusal: { code: 'not-authorised', message: 'no right' } }
      : TAKEN;
  await world.owe('alarm', 'm_alarm', 0, 1);
  await clock.run(2 * HOUR_MS);
  const gaps = dials.slice(1).map((at, index) => at - (dials[index] ?? 0));
  assert.ok(dials.length > 5 && dials.length < 20, `${dials.length} sessions in two hours`);
  assert.ok(Math.max(...gaps) > 450_000, 'less and less often');
  assert.ok(Math.min(...gaps) > 20_000);

  world.fate = () => TAKEN;
  await clock.run(900_000);
  const before = dials.length;
  await clock.run(900_000 - 100_000);
  assert.equal(dials.length, before, 'nothing is due any more');
});

test('a command on another stream does not wait for one that is refused', async (context) => {
  const world = await metered(context);
  const { clock, dials, arrived } = world;
  world.fate = ({ topic }) =>
    topic.endsWith('_alarm')
      ? { ...TAKEN, refusal: { code: 'not-authorised', message: 'no right' } }
      : TAKEN;
  await world.owe('alarm', 'm_alarm', 0, 1);
  await clock.run(HOUR_MS);
  const before = dials.length;
  await world.owe('alarm', 'm_alarm', 1, 1);
  await clock.run(5000);
  assert.equal(dials.length, before, 'more of the same stream waits as it does');
  const owedMs = clock.monotonic();
  await world.owe('command', 'm_command', 0, 1);
  await clock.run(2000);
  const command = arrived.find(({ topic }) => topic === 'up/m_command');
  assert.ok((command?.atMs ?? Infinity) - owedMs < 2000);
});

test('what was urgent before the start opens a closed link at the start', async (context) => {
  const world = await metered(context, (store) => oweIn(store, 'alarm', 'm_alarm', 0, 1));
  await world.clock.run(2000);
  assert.deepEqual(topicsIn(world), ['st', 'up/m_alarm']);
  await world.clock.run(HOUR_MS);
  assert.equal(world.dials.length, 1);
});

test('what is urgent and young is tried again within its deadline', async (context) => {
  const world = await metered(context);
  const { clock, dials } = world;
  world.fate = undefined;
  await clock.run(3 * HOUR_MS + 400_000);
  assert.ok(clock.monotonic() - (dials.at(-1) ?? 0) < 60_000, 'its window is open');
  await world.owe('measurement', 'm', 0, 1);
  const longest = async (durationMs: number): Promise<number> => {
    const [fromMs, before] = [clock.monotonic(), dials.length];
    await clock.run(durationMs);
    const tries = [fromMs, ...dials.slice(before), clock.monotonic()];
    return Math.max(...tries.slice(1).map((at, index) => at - (tries[index] ?? 0)));
  };
  assert.ok((await longest(60_000)) > 25_000);
  await world.owe('alarm', 'm_alarm', 0, 1);
  const alarmMs = await longest(60_000);
  assert.ok(alarmMs > 2000 && alarmMs <= 10_000, `${alarmMs} ms`);
  await world.owe('command', 'm_command', 0, 1);
  assert.ok((await longest(60_000)) <= 2000);
  assert.ok((await longest(290_000)) > 25_000, 'nobody waits for it any more');
});
