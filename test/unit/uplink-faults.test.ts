import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { decodeManifest } from '#contract/manifest.ts';
import { refusalOf } from '#uplink/refusal.ts';
import { temporaryFolder } from '../support/outbox.ts';
import { range, sequencesOf } from '../support/uplink.ts';
import { TAKEN, VirtualUplink, type VirtualUplinkOptions } from '../support/virtual-uplink.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_S = 86_400;
/** How far the clock of the world is from 1970. */
const SINCE_1970_S = 1_795_219_200;
const BACKEND = 'utility';
/** As `events.ts` bounds them. */
const EVENTS_MAX = 64;

async function begun(
  context: TestContext,
  options: Omit<VirtualUplinkOptions, 'directory'> = {},
): Promise<VirtualUplink> {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, runCountMax: 1, ...options });
  world.limits = { packetBytesMax: 1024 };
  context.after(() => world.kill());
  await world.start();
  return world;
}

async function queued({ store, clock }: VirtualUplink): Promise<number> {
  const [{ backends }] = await Promise.all([store.counts(), clock.run(0)]);
  return backends[BACKEND]?.queuedEntries ?? 0;
}

function gapsBetween(moments: readonly number[]): readonly number[] {
  return moments.slice(1).map((at, index) => at - (moments[index] ?? NaN));
}

const QUOTA_EXCEEDED = 0x97;
const NOT_AUTHORISED = 0x87;

test('a week without a broker loses nothing, and costs no more with time', async (context) => {
  const world = await begun(context);
  const { clock, arrived, dials } = world;
  world.fate = undefined;
  world.hangUp();
  const diedMs = clock.monotonic();
  const perHour = 12;
  const hours = 7 * 24;
  let timers = 0;
  for (const hour of range(hours)) {
    await world.owe('measurement', 'm', hour * perHour, perHour);
    world.uplink.tell('gap', { stream: 'm', epoch: 1, from: hour, through: hour, reason: 'age' });
    if (hour === 1) timers = clock.pending;
    await clock.run(HOUR_MS - 100);
  }
  const late = gapsBetween(dials.filter((at) => at > diedMs + HOUR_MS));
  const [least, most] = [Math.min(...late), Math.max(...late)];
  assert.ok(least >= 30 * SECOND_MS && most <= MINUTE_MS, `${least} to ${most} ms`);
  const { events, lanes } = world.uplink.status();
  assert.deepEqual([events.waiting, events.dropped], [EVENTS_MAX, hours - EVENTS_MAX]);
  assert.deepEqual(lanes, [], 'nothing of the backlog is in memory');
  assert.equal(clock.pending, timers, 'nor does anything wait for ever more');

  await world.owe('alarm', 'm_alarm', 0, 1);
  world.fate = () => TAKEN;
  arrived.length = 0;
  while (world.uplink.status().state.kind !== 'online') await clock.run(SECOND_MS);
  await world.owe('measurement', 'm', hours * perHour, 1);
  await clock.run(2 * MINUTE_MS);
  const topics = [...new Set(arrived.map(({ topic }) => topic))];
  const ofUplink = topics.filter((topic) => /^(up|lv)/.test(topic));
  assert.deepEqual(ofUplink, ['up/m_alarm', 'lv/m', 'up/m'], 'urgent, live, backlog');
  assert.equal(await queued(world), 0);
  assert.deepEqual(world.named, []);
  assert.deepEqual(world.sequences('m'), range(hours * perHour + 1));
});

interface Told {
  readonly atMs: number;
  readonly topic: string;
  readonly sequences: readonly number[];
}

/** An hour on a link with a cap; `befall` comes over the clock, which is set right again. */
async function timed(
  context: TestContext,
  befall: (wall: VirtualUplink['wall']) => void,
): Promise<readonly Told[]> {
  const outboxes = { [BACKEND]: { ageMs: 12 * HOUR_MS, bytes: 1 << 30 } };
  const uplink = { bytesPerSecond: 400, batchMs: 5000 };
  const world = await begun(context, { outboxes, uplink });
  const { clock, wall } = world;
  await world.owe('measurement', 'm', 0, 300);
  befall(wall);
  await world.owe('measurement', 'm', 300, 300);
  await world.owe('command', 'm_command', 0, 1);
  world.hangUp();
  await world.owe('alarm', 'm_alarm', 0, 1);
  await clock.run(MINUTE_MS);
  wall.set(0);
  await world.owe('measurement', 'm', 600, 300);
  await world.owe('command', 'm_command', 1, 1);
  await clock.run(HOUR_MS);
  assert.deepEqual(world.named, [], 'nothing expires');
  assert.deepEqual([...new Set(world.sequences('m'))], range(900));
  const { missedDeadlines } = world.uplink.status();
  assert.deepEqual([missedDeadlines.command, missedDeadlines.alarm], [0, 0]);
  return world.arrived
    .filter(({ topic }) => /^(up|lv)/.test(topic))
    .map((one) => ({ atMs: one.atMs, topic: one.topic, sequences: sequencesOf(one) }));
}

test('no step of the wall clock moves a message by a millisecond', async (context) => {
  const undisturbed = await timed(context, () => undefined);
  assert.ok(undisturbed.length > 20);
  for (const befall of [
    (wall) => wall.set(DAY_S),
    (wall) => wall.set(-DAY_S),
    (wall) => wall.set(-SINCE_1970_S),
    (wall) => wall.lose(),
  ] satisfies readonly ((wall: VirtualUplink['wall']) => void)[]) {
    assert.deepEqual(await timed(context, befall), undisturbed);
  }
});

/** Messages that a broker takes in a second; what is more it refuses. */
const QUOTA = 5;

test('what a quota refuses comes again, and the broker has all in the end', async (context) => {
  const world = await begun(context);
  const { clock } = world;
  const taken: number[] = [];
  let refused = 0;
  world.fate = () => {
    const nowMs = clock.monotonic();
    const fits = taken.filter((atMs) => atMs > nowMs - SECOND_MS).length < QUOTA;
    if (fits) taken.push(nowMs);
    else refused += 1;
    return fits ? TAKEN : { ...TAKEN, refusal: refusalOf(QUOTA_EXCEEDED) };
  };
  for (const stream of ['m', 'n']) await world.owe('measurement', stream, 0, 1000);
  await world.owe('alarm', 'm_alarm', 0, 1);
  await clock.run(15 * MINUTE_MS);
  assert.equal(await queued(world), 0);
  assert.deepEqual([world.named, await world.store.quarantined(BACKEND)], [[], []]);
  assert.ok(refused > 0 && refused <= 2 * taken.length, `${refused} of ${taken.length} refused`);
});

/** How far each stream is delivered, as the manifests of a world say at the end. */
function toldThrough({ arrived }: VirtualUplink): Readonly<Record<string, number>> {
  const manifests = arrived.filter(({ topic }) => topic === 'mf');
  const states = manifests.flatMap(({ payload }) => decodeManifest(payload).streams);
  return Object.fromEntries(states.map(({ stream, through }) => [stream, through]));
}

test('what is acknowledged while a manifest is made is in the one at the end', async (context) => {
  const world = await begun(context);
  world.limits = { packetBytesMax: 400, receiveMaximum: 1 };
  world.fate = undefined;
  world.hangUp();
  await world.owe('measurement', 'm', 0, 41);
  await world.clock.run(40 * SECOND_MS);
  world.fate = () => TAKEN;
  while ((await queued(world)) > 0) await world.clock.run(SECOND_MS);
  await world.stop();
  assert.deepEqual(toldThrough(world), { m: 40 });
});

test('a broker that takes 400 bytes hears how each stream stands at the end', async (context) => {
  const world = await begun(context);
  world.limits = { packetBytesMax: 400, receiveMaximum: 1 };
  world.hangUp();
  const streams = { m_command: 'command', m_alarm: 'alarm', m: 'measurement' } as const;
  for (const [stream, of] of Object.entries(streams)) await world.owe(of, stream, 0, 30);
  await world.clock.run(MINUTE_MS);
  await world.owe('measurement', 'm', 30, 9);
  await world.clock.run(MINUTE_MS);
  await world.stop();
  assert.deepEqual(toldThrough(world), { m_command: 29, m_alarm: 29, m: 38 });
  assert.deepEqual(world.violations, []);
});

test('what asks again after a refusal waits for a place, as a goodbye does', async (context) => {
  const world = await begun(context);
  world.limits = { receiveMaximum: 1 };
  world.hangUp();
  const refusal = refusalOf(NOT_AUTHORISED);
  const slow = { kind: 'answered', delayMs: 900 } as const;
  world.fate = ({ topic }) => (topic.endsWith('/n') ? { ...slow, refusal } : slow);
  await world.owe('measurement', 'n', 0, 3);
  await world.clock.run(10 * SECOND_MS);
  for (let number = 0; number < 30; number += 1) {
    await world.owe('measurement', 'm', number, 1);
    await world.clock.run(SECOND_MS);
  }
  world.fate = () => ({ kind: 'unanswered' });
  await world.owe('measurement', 'm', 30, 1);
  await world.clock.run(SECOND_MS);
  await world.stop();
  assert.ok(world.arrived.filter(({ topic }) => topic === 'up/n').length > 3);
  assert.deepEqual(world.violations, []);
});
