import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { encodeReceipt } from '#contract/receipt.ts';
import type { Fate } from '#sim/life/broker-session.ts';
import { owe, temporaryFolder } from '../support/outbox.ts';
import { range } from '../support/uplink.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

const TOPIC = 'nd/1/gw-1/rc';

const MINUTE_MS = 60_000;
/** A receipt is on its way, and is taken a second later. */
const TAKEN_MS = 2000;

interface Backend {
  readonly world: VirtualUplink;
  /** Publishes on the topic of receipts. */
  readonly say: (payload: string | Uint8Array) => void;
  readonly epoch: number;
}

/** An uplink that awaits receipts and has delivered `count` observations of `m`. */
async function delivered(context: TestContext, count: number): Promise<Backend> {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, runCountMax: 1, uplink: { receipts: true } });
  context.after(() => world.kill());
  await world.start((store) => owe(store, 'm', 0, count));
  await world.clock.run(TAKEN_MS);
  const [{ epoch } = { epoch: 0 }] = await world.answer(world.store.streams('utility'));
  return { world, say: (payload) => world.say(TOPIC, Buffer.from(payload)), epoch };
}

async function kept(world: VirtualUplink): Promise<number> {
  const { backends } = await world.answer(world.store.counts());
  return backends['utility']?.queuedEntries ?? 0;
}

const receiptsOf = ({ uplink }: VirtualUplink) => uplink.status().receipts;

test('what the broker has stays until the back-end has it; holes come again', async (context) => {
  const { world, say, epoch } = await delivered(context, 10);
  assert.equal(await kept(world), 10);
  const stream = { stream: 'm', epoch };
  say(encodeReceipt({ version: 1, streams: [{ ...stream, through: 7, holes: [[2, 3]] }] }));
  await world.clock.run(TAKEN_MS);
  assert.deepEqual(world.sequences('m'), [...range(10), 2, 3]);
  assert.equal(await kept(world), 4, 'the holes, and what the back-end has not spoken of');
  say(encodeReceipt({ version: 1, streams: [{ ...stream, through: 9, holes: [] }] }));
  await world.clock.run(TAKEN_MS);
  assert.equal(await kept(world), 0);
  assert.deepEqual([receiptsOf(world)?.taken, receiptsOf(world)?.overdue], [2, false]);
});

test('a receipt that is none is counted, and harms nothing', async (context) => {
  const { world, say, epoch } = await delivered(context, 3);
  for (const [payload, code, count] of [
    ['not JSON', 'bad-receipt', 1],
    [Uint8Array.of(0xff, 0), 'bad-receipt', 2],
    ['{"version":1,"streams":[{"stream":"m","epoch":1,"through":-2}]}', 'bad-receipt', 3],
    ['['.repeat(61_441), 'too-large', 1],
  ] as const) {
    say(payload);
    await world.clock.run(TAKEN_MS);
    assert.equal(receiptsOf(world)?.refused[code], count);
  }
  say(encodeReceipt({ version: 1, streams: [{ stream: 'm', epoch: 1, through: 9, holes: [] }] }));
  await world.clock.run(TAKEN_MS);
  assert.equal(receiptsOf(world)?.taken, 1);
  assert.equal(await kept(world), 3, 'of another epoch nothing is let go');
  for (const number of range(20)) say(`${number}`);
  await world.clock.run(TAKEN_MS);
  assert.equal(receiptsOf(world)?.refused['too-many-receipts'], 12);
  assert.equal(await kept(world), 3);
  assert.notEqual(epoch, 1);
  assert.equal(world.uplink.status().state.kind, 'online');
});

test('a back-end that confirms nothing for an hour is told of', async (context) => {
  const { world, say, epoch } = await delivered(context, 3);
  const { awaitedMs = 0 } = receiptsOf(world) ?? {};
  assert.ok(awaitedMs > 0);
  await world.clock.run(60 * MINUTE_MS - awaitedMs - 1);
  assert.equal(receiptsOf(world)?.overdue, false);
  await world.clock.run(1);
  assert.equal(receiptsOf(world)?.overdue, true);
  say(encodeReceipt({ version: 1, streams: [{ stream: 'm', epoch, through: 2, holes: [] }] }));
  await world.clock.run(TAKEN_MS);
  assert.equal(receiptsOf(world)?.overdue, false);
});

test('who awaits receipts no more lets go of what waited for them', async (context) => {
  const directory = join(temporaryFolder(context), 'state');
  for (const [receipts, left] of [
    [true, 3],
    [false, 0],
  ] as const) {
    const world = new VirtualUplink({ directory, runCountMax: 1, uplink: { receipts } });
    context.after(() => world.kill());
    await world.start((store) => (receipts ? owe(store, 'm', 0, 3) : Promise.resolve()));
    await world.clock.run(TAKEN_MS);
    assert.equal(await kept(world), left);
    await world.stop();
  }
});

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
