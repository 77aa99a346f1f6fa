import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { IssuedFiles } from '#identity/development-ca.ts';
import { startWay, type Way } from '#sim/way.ts';
import type { Weather } from '#sim/weather.ts';
import type { Store } from '#store/store.ts';
import { type Clock, machineClock } from '#system/clock.ts';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import type { UplinkStatus } from '#uplink/uplink.ts';
import { hurriedClock } from '../support/hurried-clock.ts';
import { startMosquitto, withoutMosquitto } from '../support/mosquitto.ts';
import { nothingOwed, owe, temporaryCa, temporaryStore } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';
import { startSubscriber, type Subscriber } from '../support/subscriber.ts';
import { open, type Opened } from '../support/uplink.ts';
import { assertWhole, energiesOf } from '../support/whole.ts';

const SEED = Number(process.env['NORMD_SEED'] ?? 1);
const skip = withoutMosquitto;
/** Half a minute without an answer takes two seconds; a loaded machine answers in less. */
const HURRY = 15;
/** Between two questions to an idle broker; one that does not answer is noticed after half more. */
const KEEP_ALIVE_S = 1;
const POLL_MS = 20;

interface Identities {
  readonly anchor: string;
  readonly broker: IssuedFiles;
  readonly headEnd: IssuedFiles;
  readonly gateway: IssuedFiles;
}

let identities: Identities;
const cleanups: (() => void | Promise<void>)[] = [];
before(async () => {
  const ca = await temporaryCa({ after: (run) => cleanups.push(run) });
  identities = {
    anchor: ca.anchor,
    broker: await ca.broker(),
    headEnd: await ca.device('head-end'),
    gateway: await ca.device('gw-1'),
  };
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

interface World {
  readonly way: Way;
  readonly store: Store;
  readonly subscriber: Subscriber;
  readonly uplink: Opened;
  /** What it said while it waited. */
  readonly reasons: ReadonlySet<string>;
  arrived(count: number): Promise<void>;
}

/** A gateway, a way with its weather, and a real mosquitto, with TLS from end to end. */
async function world(
  context: TestContext,
  weather: Weather,
  { clock = machineClock, keepAliveS = 30 }: { clock?: Clock; keepAliveS?: number } = {},
): Promise<World> {
  const { anchor, broker, headEnd, gateway } = identities;
  const mosquitto = await startMosquitto({ ca: anchor, ...broker });
  context.after(() => mosquitto.dispose());
  const { url } = mosquitto;
  const subscriber = await startSubscriber({ url, ca: anchor, ...headEnd });
  context.after(() => subscriber.stop());
  const way = await startWay({ to: mosquitto.port, entropy: seeded(SEED) });
  context.after(() => way.stop());
  way.weather(weather);
  const store = await temporaryStore(context);
  const credentials = { ...gateway, anchors: [anchor] };
  const near = { url: `mqtts://127.0.0.1:${way.port}`, credentials };
  const dial = mqttDialer({ keepAliveS });
  const uplink = open(context, store, near, clock, seeded(SEED), dial);
  const reasons = new Set<string>();
  uplink.onState(({ state }) => {
    if (state.kind === 'waiting') reasons.add(state.failure.code);
  });
  const { packs } = subscriber;
  const arrived = (count: number): Promise<void> =>
    subscriber.until(() => energiesOf(packs, 'p1').size === count);
  return { way, store, subscriber, uplink, reasons, arrived };
}

/** All of it came in order, and is acknowledged. */
async function assertDelivered({ subscriber, store, uplink }: World, count: number): Promise<void> {
  assertWhole(subscriber.packs, 'p1', count);
  await nothingOwed(store, () => pause(POLL_MS));
  await uplink.stop();
}

function waits({ uplink }: World): Promise<UplinkStatus> {
  return uplink.reached(({ state }) => state.kind === 'waiting');
}

describe(`ways to a broker (seed ${SEED})`, { concurrency: true, skip }, () => {
  for (const [name, weather] of [
    ['100 ms', { delayMs: 100 }],
    ['a second', { delayMs: 1000 }],
    ['20 to 200 ms with a segment in twenty lost', { delayMs: 20, jitterMs: 180, loss: 0.05 }],
  ] as const) {
    test(`over a way of ${name} all comes in order, over one connection`, async (context) => {
      const all = await world(context, weather);
      await owe(all.store, 'p1', 0, 300);
      await all.arrived(300);
      await owe(all.store, 'p1', 300, 300);
      await all.arrived(600);
      assert.equal(all.way.connections, 1, [...all.reasons].join(' '));
      await assertDelivered(all, 600);
    });
  }

  test('2 kB/s carry what fits into them, in order, over one connection', async (context) => {
    const all = await world(context, { delayMs: 50, bytesPerSecond: 2000 });
    await owe(all.store, 'p1', 0, 300);
    await all.arrived(300);
    assert.equal(all.way.connections, 1, [...all.reasons].join(' '));
    await assertDelivered(all, 300);
  });

  test('a way that stalls under a backlog is left, and called silent', async (context) => {
    const all = await world(context, {}, { clock: hurriedClock(HURRY) });
    await owe(all.store, 'p1', 0, 100);
    await all.arrived(100);
    all.way.weather({ stalled: true });
    await owe(all.store, 'p1', 100, 100);
    const { lastFailure } = await waits(all);
    assert.equal(lastFailure?.code, 'broker-silent');
    all.way.weather({});
    await all.arrived(200);
    await assertDelivered(all, 200);
  });

  test('an idle way that stalls is noticed by keep-alive', async (context) => {
    const all = await world(context, {}, { keepAliveS: KEEP_ALIVE_S });
    await owe(all.store, 'p1', 0, 100);
    await all.arrived(100);
    await nothingOwed(all.store, () => pause(POLL_MS));
    all.way.weather({ stalled: true });
    const { lastFailure } = await waits(all);
    assert.equal(lastFailure?.code, 'broker-silent');
    all.way.weather({});
    await owe(all.store, 'p1', 100, 100);
    await all.arrived(200);
    await assertDelivered(all, 200);
  });

  test('where answers are lost on their way, all comes again, in order', async (context) => {
    const all = await world(context, {}, { clock: hurriedClock(HURRY) });
    await owe(all.store, 'p1', 0, 100);
    await all.arrived(100);
    all.way.weather({}, { stalled: true });
    await owe(all.store, 'p1', 100, 100);
    await all.arrived(200);
    const before = all.subscriber.packs.length;
    const { lastFailure } = await waits(all);
    assert.equal(lastFailure?.code, 'broker-silent');
    all.way.cut();
    all.way.weather({});
    await all.subscriber.until(() => all.subscriber.packs.length > before);
    await owe(all.store, 'p1', 200, 100);
    await all.arrived(300);
    await assertDelivered(all, 300);
  });

  for (const how of ['end', 'reset'] as const) {
    test(`a way that flaps every second, by ${how}, loses nothing`, async (context) => {
      const all = await world(context, { delayMs: 20 });
      const flapping = setInterval(() => {
        all.way.open = !all.way.open;
        if (!all.way.open) all.way.cut(how);
      }, 1000);
      context.after(() => clearInterval(flapping));
      for (let round = 0; round < 8; round += 1) {
        await owe(all.store, 'p1', round * 100, 100);
        await pause(500);
      }
      clearInterval(flapping); // a loaded machine may not get through in any of its seconds
      all.way.open = true;
      await all.arrived(800);
      assert.ok(all.way.connections > 2);
      for (const reason of all.reasons) assert.match(reason, /^connection-(closed|reset)$/);
      assert.ok(all.reasons.size > 0);
      await all.uplink.reached(({ state }) => state.kind === 'online');
      await assertDelivered(all, 800);
    });
  }
});
