import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeReceipt } from '#contract/receipt.ts';
import type { Fate } from '#sim/life/broker-session.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import type { Store } from '#store/store.ts';
import type { UplinkStatus } from '#uplink/uplink.ts';
import { owe, temporaryFolder, temporaryStore } from '../support/outbox.ts';
import { startScriptedBroker, type Arrival } from '../support/scripted-broker.ts';
import { open, range, sequencesIn, urlOf, type Opened } from '../support/uplink.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

const TOPIC = 'nd/1/gw-1/rc';

interface Backend {
  readonly store: Store;
  readonly clock: VirtualClock;
  readonly uplink: Opened;
  readonly arrivals: readonly Arrival[];
  /** Publishes on the topic of receipts. */
  readonly say: (payload: string | Uint8Array) => void;
  readonly epoch: number;
}

/** An uplink that awaits receipts and has delivered `count` observations of `m`. */
async function delivered(
  context: TestContext,
  count: number,
  { suback = 1 } = {},
): Promise<Backend> {
  const arrivals: Arrival[] = [];
  const subscribed = Promise.withResolvers<Backend['say']>();
  const broker = await startScriptedBroker({
    subscribed(topic, send) {
      assert.equal(topic, TOPIC);
      subscribed.resolve((payload) => send(topic, Buffer.from(payload)));
      return suback;
    },
    answer(arrival) {
      arrivals.push(arrival);
      return 0;
    },
  });
  context.after(() => broker.stop());
  const store = await temporaryStore(context);
  await owe(store, 'm', 0, count);
  const clock = new VirtualClock();
  const uplink = open(context, store, { url: urlOf(broker), receipts: true }, clock);
  await seen(uplink, ({ readingsAcknowledged }) => readingsAcknowledged === 2 * count);
  await nothingDue(store);
  const [{ epoch } = { epoch: 0 }] = await store.streams('utility');
  return { store, clock, uplink, arrivals, say: await subscribed.promise, epoch };
}

async function seen(uplink: Opened, wanted: (status: UplinkStatus) => boolean): Promise<void> {
  while (!wanted(uplink.status())) await turn();
}

/** What has come is taken a second later; so many were taken then. */
async function taken({ uplink, clock }: Backend, count: number): Promise<void> {
  await seen(uplink, ({ receipts }) => (receipts?.waiting ?? 0) > 0);
  clock.advance(1000);
  await seen(uplink, ({ receipts }) => receipts?.taken === count);
}

async function nothingDue(store: Store): Promise<void> {
  while ((await store.due('utility', 'measurement', 0, 1)).length > 0) await turn();
}

const kept = async (store: Store): Promise<number> =>
  (await store.counts()).backends['utility']?.queuedEntries ?? 0;

test('what the broker has stays until the back-end has it; holes come again', async (context) => {
  const backend = await delivered(context, 10);
  const { store, uplink, arrivals, say, epoch } = backend;
  assert.equal(await kept(store), 10);
  const stream = { stream: 'm', epoch };
  say(
    encodeReceipt({
      version: 1,
      streams: [{ ...stream, through: 7, holes: [[2, 3]] }],
    }),
  );
  await taken(backend, 1);
  while (sequencesIn(arrivals, 'm').length < 12) await turn();
  assert.deepEqual(sequencesIn(arrivals, 'm'), [...range(10), 2, 3]);
  await nothingDue(store);
  assert.equal(await kept(store), 4, 'the holes, and what the back-end has not spoken of');
  say(encodeReceipt({ version: 1, streams: [{ ...stream, through: 9, holes: [] }] }));
  await taken(backend, 2);
  assert.equal(await kept(store), 0);
  assert.equal(uplink.status().receipts?.overdue, false);
});

test('a receipt that is none is counted, and harms nothing', async (context) => {
  const backend = await delivered(context, 3);
  const { store, clock, uplink, say, epoch } = backend;
  const refused = async (payload: string | Uint8Array, code: string): Promise<void> => {
    const before = uplink.status().receipts?.refused[code] ?? 0;
    say(payload);
    await seen(uplink, ({ receipts }) => (receipts?.waiting ?? 0) > 0);
    clock.advance(1000);
    await seen(uplink, ({ receipts }) => receipts?.refused[code] === before + 1);
  };
  await refused('not JSON', 'bad-receipt');
  await refused(Uint8Array.of(0xff, 0), 'bad-receipt');
  await refused('{"version":1,"streams":[{"stream":"m","epoch":1,"through":-2}]}', 'bad-receipt');
  await refused('['.repeat(61_441), 'too-large');
  say(encodeReceipt({ version: 1, streams: [{ stream: 'm', epoch: 1, through: 9, holes: [] }] }));
  await taken(backend, 1);
  assert.equal(await kept(store), 3, 'of another epoch nothing is let go');
  for (const number of range(20)) say(`${number}`);
  await seen(uplink, ({ receipts }) => (receipts?.refused['too-many-receipts'] ?? 0) > 0);
  assert.equal(await kept(store), 3);
  assert.notEqual(epoch, 1);
  assert.equal(uplink.status().state.kind, 'online');
});

test('a back-end that confirms nothing for an hour is told of', async (context) => {
  const backend = await delivered(context, 3);
  const { clock, uplink, say, epoch } = backend;
  await clock.run(3_599_000);
  assert.equal(uplink.status().receipts?.overdue, false);
  await clock.run(1000);
  assert.equal(uplink.status().receipts?.overdue, true);
  say(encodeReceipt({ version: 1, streams: [{ stream: 'm', epoch, through: 2, holes: [] }] }));
  await taken(backend, 1);
  assert.equal(uplink.status().receipts?.overdue, false);
});

test('a broker that does not let us listen is told of', async (context) => {
  const { uplink } = await delivered(context, 1, { suback: 0x87 });
  await seen(uplink, ({ receipts }) => receipts?.failure?.code === 'not-authorised');
});

test('who awaits receipts no more lets go of what waited for them', async (context) => {
  const { store, uplink } = await delivered(context, 3);
  await uplink.stop();
  assert.equal(await kept(store), 3);
  const broker = await startScriptedBroker({ answer: () => 0 });
  context.after(() => broker.stop());
  const later = open(context, store, { url: urlOf(broker) });
  await seen(later, ({ state }) => state.kind === 'online');
  assert.equal(await kept(store), 0);
});

const MINUTE_MS = 60_000;

/** An uplink that awaits receipts, of a broker that answers each subscription with `fate`. */
async function asking(context: TestContext, fate: () => Fate) {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, uplink: { receipts: true } });
  context.after(() => world.kill());
  const askedMs: number[] = [];
  world.subscribed = () => {
    askedMs.push(world.clock.monotonic());
    return fate();
  };
  await world.start();
  return { world, askedMs };
}

/** Each wait is up to twice the one before, from a minute to an hour. */
function assertBackedOff(askedMs: readonly number[]): void {
  const waits = askedMs.slice(1).map((atMs, at) => atMs - (askedMs[at] ?? 0));
  const [first = 0] = waits;
  assert.ok(first >= MINUTE_MS && first < 2.5 * MINUTE_MS, `${first} ms after the first`);
  assert.ok(Math.max(...waits) >= 30 * MINUTE_MS && Math.max(...waits) <= 61 * MINUTE_MS);
}

const REFUSED = { ...TAKEN, refusal: { code: 'not-authorised', message: 'no' } } as const;

for (const [how, fate, code, sessions] of [
  ['refuses the subscription', REFUSED, 'not-authorised', 1],
  ['hangs up over the subscription', { kind: 'hung-up' }, 'connection-closed', 60],
  ['does not answer the subscription', { kind: 'unanswered' }, 'broker-silent', 1],
] as const) {
  test(`a broker that ${how} gets all, and is asked ever less`, async (context) => {
    const { world, askedMs } = await asking(context, () => fate);
    for (let hour = 0; hour < 24; hour += 1) {
      await world.owe('measurement', 'm', hour, 1);
      await world.clock.run(60 * MINUTE_MS);
      const { receipts, state } = world.uplink.status();
      assert.equal(receipts?.failure?.code, code);
      assert.equal(state.kind, 'online');
    }
    assertBackedOff(askedMs);
    assert.ok(world.dials.length <= sessions, `${world.dials.length} sessions`);
    assert.deepEqual(new Set(world.sequences('m')), new Set(range(24)));
    assert.deepEqual(world.named, [], 'no message is blamed for it');
  });
}

test('a broker that lets us listen after all is heard at once', async (context) => {
  let fate: Fate = REFUSED;
  const { world, askedMs } = await asking(context, () => fate);
  await world.clock.run(MINUTE_MS);
  assert.equal(world.uplink.status().receipts?.failure?.code, 'not-authorised');
  fate = TAKEN;
  await world.clock.run(2 * MINUTE_MS);
  assert.equal(world.uplink.status().receipts?.failure, undefined);
  world.hangUp();
  await world.clock.run(MINUTE_MS);
  assert.equal(askedMs.length, 3, 'and again in the next session');
});

test('after a flood the next sessions do not listen, and say why', async (context) => {
  const { world, askedMs } = await asking(context, () => TAKEN);
  await world.clock.run(1000);
  world.hangUp({ code: 'broker-flood', message: 'what is retained is too large' });
  await world.owe('measurement', 'm', 0, 1);
  await world.clock.run(MINUTE_MS / 2);
  assert.deepEqual([world.dials.length, askedMs.length, world.sequences('m')], [2, 1, [0]]);
  assert.equal(world.uplink.status().receipts?.failure?.code, 'broker-flood');
  await world.clock.run(2 * MINUTE_MS);
  assert.equal(askedMs.length, 2);
  assert.equal(world.uplink.status().receipts?.failure, undefined);
});
