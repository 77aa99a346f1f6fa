import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Store } from '#store/store.ts';
import { firstDialDelayMs } from '#uplink/pacing.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';
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

test('after a boot the first dial waits, but not what is urgent', async (context) => {
  const directory = join(temporaryFolder(context), 'state');
  const uplink = { firstDialMs: 20_000 };
  for (const kind of ['measurement', 'alarm'] as const) {
    const world = new VirtualUplink({ directory: join(directory, kind), uplink });
    context.after(() => world.kill());
    await world.start();
    await world.clock.run(5000);
    assert.deepEqual(world.dials, []);
    assert.equal(failureIn(world), 'after-boot');
    const owedMs = world.clock.monotonic();
    await world.owe(kind, 'm', 0, 1);
    await world.clock.run(30_000);
    const [firstMs = NaN] = world.dials;
    if (kind === 'alarm') assert.ok(firstMs - owedMs < 1000, `${firstMs - owedMs} ms`);
    else assert.ok(firstMs >= 20_000 && firstMs < 21_000, `${firstMs} ms`);
  }
});

function failureIn({ uplink }: VirtualUplink): string | undefined {
  const { state } = uplink.status();
  return state.kind === 'waiting' ? state.failure.code : undefined;
}

test('a thousand gateways that boot together do not dial as one', () => {
  const delays = Array.from({ length: 1000 }, (_, seed) =>
    firstDialDelayMs(5000, seeded(seed * 7919)),
  );
  const inSecond = new Map<number, number>();
  for (const ms of delays) {
    const second = Math.floor(ms / 1000);
    inSecond.set(second, (inSecond.get(second) ?? 0) + 1);
  }
  assert.ok(Math.max(...inSecond.values()) <= 75, `${Math.max(...inSecond.values())}`);
  assert.ok(Math.max(...delays) < 30_000);
  assert.equal(firstDialDelayMs(120_000, seeded(1)), 0, 'a restart of normd waits for nothing');
});

test('what is urgent is tried within its deadline, and rarely when old', async (context) => {
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
  assert.ok((await longest(240_000)) <= 10_000, 'each ten seconds, for five minutes');
  await clock.run(HOUR_MS / 2);
  assert.ok((await longest(120_000)) > 25_000, 'then ever less');
});
