import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { BrokerSession, type Fate } from '#sim/life/broker-session.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere, type StoreHere } from '#store/here.ts';
import { HangUps, type Verdict } from '#uplink/quarantine-rule.ts';
import type { Message } from '#uplink/session.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';
import { open, range, sequencesOf, type Opened } from '../support/uplink.ts';

interface Published {
  readonly atMs: number;
  readonly session: number;
  readonly topic: string;
  /** Of data; nothing else has any. */
  readonly sequences: readonly number[];
}

/** An uplink that is about to be lost with one run of measurements in flight. */
interface Way {
  readonly clock: VirtualClock;
  readonly store: StoreHere;
  readonly uplink: Opened;
  /** What has reached the broker; it answers half a round trip later. */
  readonly published: Published[];
  /** Runs the clock until something published is so. */
  readonly until: (wanted: (one: Published) => boolean) => Promise<Published>;
}

type Judge = (one: Published) => 'take' | 'hang-up';

interface Owed {
  /** Observations of `m`, in one run. */
  readonly run: number;
  readonly roundTripMs: number;
}

async function way(context: TestContext, { run, roundTripMs }: Owed, judge: Judge): Promise<Way> {
  const clock = new VirtualClock();
  context.after(async () => {
    await Promise.all([uplink.stop(), clock.run(20_000)]);
    store.abandon();
  });
  const store = await openStoreHere({ directory: join(temporaryFolder(context), 'state'), clock });
  await Promise.all([oweIn(store, 'measurement', 'm', 0, run), clock.run(100)]);
  const published: Published[] = [];
  let sessions = 0;
  const dial = (): Promise<BrokerSession> => {
    sessions += 1;
    const session = sessions;
    const hear = (message: Message): Fate => {
      const one = { atMs: clock.monotonic(), session, ...read(message) };
      published.push(one);
      return judge(one) === 'take'
        ? { kind: 'answered', delayMs: roundTripMs / 2 }
        : { kind: 'hung-up' };
    };
    const broker = { wayMs: () => roundTripMs / 2, judge: hear };
    return Promise.resolve(new BrokerSession(broker, clock));
  };
  const url = 'mqtt://127.0.0.1:1883';
  const uplink = open(context, store, { url }, clock, seeded(5), dial);
  const until = async (wanted: (one: Published) => boolean): Promise<Published> => {
    for (let passedMs = 0; passedMs < 600_000; passedMs += 50) {
      const found = published.find(wanted);
      if (found !== undefined) return found;
      await clock.run(50);
    }
    return assert.fail('it has not come within ten minutes');
  };
  return { clock, store, uplink, published, until };
}

function read({ topic, payload }: Message): Pick<Published, 'topic' | 'sequences'> {
  const [, , , ...words] = topic.split('/');
  const isData = payload instanceof Uint8Array;
  return { topic: words.join('/'), sequences: isData ? sequencesOf({ payload }) : [] };
}

const isRun = ({ topic, sequences }: Published): boolean =>
  topic === 'up/m' && sequences.length > 1;

async function nothingDue({ store, clock }: Way): Promise<void> {
  await clock.run(1000);
  assert.deepEqual(await store.peek('utility', 'measurement', 0, 10), []);
}

test('after a way that broke, what was in flight goes again as a whole', async (context) => {
  const world = await way(context, { run: 200, roundTripMs: 100 }, (one) =>
    isRun(one) && one.session === 1 ? 'hang-up' : 'take',
  );
  await world.until(({ session, topic }) => session === 2 && topic === 'mf');
  await nothingDue(world);
  const runs = world.published.filter(({ topic }) => topic === 'up/m');
  assert.deepEqual(
    runs.map(({ session, sequences }) => [session, sequences.length]),
    [
      [1, 200],
      [2, 200],
    ],
  );
});

for (const { run, roundTripMs } of [
  { run: 200, roundTripMs: 100 },
  { run: 250, roundTripMs: 600 },
]) {
  const title = `${run} observations tried at ${roundTripMs} ms each hold up nothing urgent`;
  test(title, async (context) => {
    const world = await way(context, { run, roundTripMs }, (one) =>
      isRun(one) && one.session <= 2 ? 'hang-up' : 'take',
    );
    const { clock, store, uplink, until } = world;
    await until(({ session, topic }) => session === 3 && topic === 'up/m');
    const trialMs = clock.monotonic();
    uplink.tell('disk-full', { freeBytes: 1 });
    await Promise.all([oweIn(store, 'alarm', 'm_alarm', 0, 1), clock.run(20)]);
    await Promise.all([oweIn(store, 'command', 'm_command', 0, 1), clock.run(20)]);
    const command = await until(({ topic }) => topic === 'up/m_command');
    const alarm = await until(({ topic }) => topic === 'up/m_alarm');
    const event = await until(({ topic }) => topic === 'ev');
    const last = await until(
      ({ session, sequences }) => session === 3 && sequences.includes(run - 1),
    );
    assert.ok(command.atMs - trialMs <= 2000, `a command took ${command.atMs - trialMs} ms`);
    assert.ok(alarm.atMs - trialMs <= 10_000, `an alarm took ${alarm.atMs - trialMs} ms`);
    assert.ok(event.atMs - trialMs <= 10_000, `an event took ${event.atMs - trialMs} ms`);
    assert.ok(last.atMs > event.atMs, 'the trial was under way');
    await nothingDue(world);
    const single = world.published.filter(
      ({ session, topic }) => session === 3 && topic === 'up/m',
    );
    assert.deepEqual(
      single.flatMap(({ sequences }) => sequences),
      range(run),
      'each once, in order',
    );
  });
}

test('a run that is too long for the broker goes observation by observation', async (context) => {
  const world = await way(context, { run: 20, roundTripMs: 20 }, (one) =>
    isRun(one) ? 'hang-up' : 'take',
  );
  await world.until(({ sequences }) => sequences.join() === '19');
  await nothingDue(world);
  assert.deepEqual(await world.store.quarantined('utility'), []);
});

test('a run with one observation that the broker cannot bear is set aside', async (context) => {
  const world = await way(context, { run: 20, roundTripMs: 20 }, ({ topic, sequences }) =>
    topic === 'up/m' && sequences.includes(7) ? 'hang-up' : 'take',
  );
  const { clock, store } = world;
  while ((await store.quarantined('utility')).length === 0) await clock.run(1000);
  const hangUps = world.published.filter(({ sequences }) => sequences.includes(7));
  const lengths = hangUps.map(({ sequences }) => sequences.length);
  assert.deepEqual(lengths.slice(-4), [20, 1, 1, 1], 'as a whole, then three times by itself');
  await nothingDue(world);
});

test('an alarm stream that is tried holds up no other, and keeps its order', async (context) => {
  const world = await way(context, { run: 1, roundTripMs: 600 }, ({ topic, session, sequences }) =>
    topic === 'up/a_alarm' && sequences.length > 1 && session <= 2 ? 'hang-up' : 'take',
  );
  const { clock, store, until } = world;
  await Promise.all([oweIn(store, 'alarm', 'a_alarm', 0, 50), clock.run(20)]);
  await until(({ session, topic }) => session === 3 && topic === 'up/a_alarm');
  const trialMs = clock.monotonic();
  await Promise.all([oweIn(store, 'alarm', 'a_alarm', 50, 1), clock.run(20)]);
  await Promise.all([oweIn(store, 'alarm', 'b_alarm', 0, 1), clock.run(20)]);
  const other = await until(({ topic }) => topic === 'up/b_alarm');
  assert.ok(other.atMs - trialMs <= 10_000);
  await until(({ sequences }) => sequences.includes(50));
  const own = world.published.filter(
    ({ session, topic }) => session === 3 && topic === 'up/a_alarm',
  );
  assert.deepEqual(
    own.flatMap(({ sequences }) => sequences),
    range(51),
  );
});

test('a way that breaks over one observation and then over another convicts nobody', () => {
  const hangUps = new HangUps();
  const oldest = { id: 1, stream: 'm', of: 'measurement' } as const;
  const over = (sequence: number, count: number): Verdict =>
    hangUps.lost({ code: 'connection-closed', oldest, sequence, count, alone: true });
  assert.equal(over(0, 200), 'alone');
  assert.equal(hangUps.divided, true);
  for (const sequence of [3, 17, 40, 90]) assert.equal(over(sequence, 1), 'alone');
  assert.equal(hangUps.divided, false, 'as a whole it may go between two breaks');
  over(0, 200);
  assert.deepEqual([over(8, 1), over(8, 1), over(0, 200), over(8, 1)].at(-1), 'quarantine');
});
