import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { connect, type LookupFunction } from 'node:net';
import { test, type TestContext } from 'node:test';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { connectFailureOf } from '#uplink/connect-failure.ts';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import type { UplinkStatus } from '#uplink/uplink.ts';
import { owe } from '../support/outbox.ts';
import { startScriptedBroker } from '../support/scripted-broker.ts';
import { seeded } from '../support/seeded.ts';
import { open, range, scene, sequencesIn, sequencesOf } from '../support/uplink.ts';
import type { Opened, Scene } from '../support/uplink.ts';

/** What the machine says of a name: its addresses, an error of getaddrinfo, or nothing ever. */
type Zone = readonly LookupAddress[] | Error | 'silence';

const HERE: LookupAddress = { address: '127.0.0.1', family: 4 };
/** Nobody is there, by definition (RFC 6666): a way without an end, or none. */
const DEAD_IPV6: LookupAddress = { address: '100::1', family: 6 };

interface Named extends Scene {
  readonly clock: VirtualClock;
  readonly uplink: Opened;
  /** What names lead to from now on. */
  resolve(zone: Zone): void;
  readonly asked: string[];
  /** A dial is under way, and its time runs. */
  readonly dialling: Promise<undefined>;
}

/** An uplink to a broker by its name; plaintext is taken for loopback, whatever that leads to. */
async function named(context: TestContext, first: Zone): Promise<Named> {
  const world = await scene(context, () => 0);
  const asked: string[] = [];
  const dialling = Promise.withResolvers<undefined>();
  let zone = first;
  const lookup: LookupFunction = (name, _options, answer) => {
    asked.push(name);
    dialling.resolve(undefined);
    if (zone === 'silence') return;
    if (zone instanceof Error) answer(zone, []);
    else answer(null, [...zone]);
  };
  const clock = new VirtualClock();
  const url = `mqtt://localhost:${world.broker.port}`;
  const uplink = open(context, world.store, { url }, clock, seeded(3), mqttDialer({ lookup }));
  const resolve = (next: Zone): void => void (zone = next);
  return { ...world, clock, uplink, asked, dialling: dialling.promise, resolve };
}

/** What it says once it waits. */
function waiting(uplink: Opened): Promise<UplinkStatus> {
  return uplink.reached(({ state }) => state.kind === 'waiting');
}

/** Dials again when it is due; settles when the dial has begun. */
async function retried({ clock, uplink }: Named, { state }: UplinkStatus): Promise<void> {
  assert.ok(state.kind === 'waiting');
  const dialling = Promise.withResolvers<undefined>();
  const unsubscribe = uplink.onState(() => dialling.resolve(undefined));
  await clock.run(state.retryMs);
  await dialling.promise;
  unsubscribe();
}

for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL']) {
  test(`a name server that says ${code} is waited for, and asked again`, async (context) => {
    const world = await named(context, errorOf(code));
    const { uplink, store, arrivals, until, asked } = world;
    await owe(store, 'p1', 0, 10);
    for (const time of range(3)) {
      const status = await waiting(uplink);
      const failure = status.state.kind === 'waiting' ? status.state.failure : undefined;
      assert.equal(failure?.code, 'name-not-resolved', failure?.message);
      assert.ok(failure.message.includes(code), 'it says what the name server said');
      assert.ok(failure.hint?.includes('name server'));
      assert.equal(asked.length, time + 1);
      if (time === 2) world.resolve([HERE]);
      await retried(world, status);
    }
    await until(() => sequencesIn(arrivals, 'p1').length === 10);
    assert.deepEqual(sequencesIn(arrivals, 'p1'), range(10));
    assert.equal(asked.length, 4);
  });
}

test('a name server that never answers is given up and named; no portal is', async (context) => {
  const world = await named(context, 'silence');
  const { uplink, store, clock, arrivals, until } = world;
  await owe(store, 'p1', 0, 10);
  await world.dialling;
  await clock.run(29_999);
  assert.equal(uplink.status().state.kind, 'connecting');
  await clock.run(1);
  const status = await waiting(uplink);
  assert.equal(status.lastFailure?.code, 'name-not-resolved');
  assert.ok(status.lastFailure.hint?.includes('name server'));
  world.resolve([HERE]);
  await retried(world, status);
  await until(() => sequencesIn(arrivals, 'p1').length === 10);
});

test('a name that leads elsewhere is followed with the next connection', async (context) => {
  const world = await named(context, [HERE]);
  const { uplink, store, broker, arrivals, until } = world;
  await owe(store, 'p1', 0, 5);
  await until(() => sequencesIn(arrivals, 'p1').length === 5);
  assert.ok(await hasHost('127.0.0.2'), 'all of 127/8 is this machine');
  const moved = Promise.withResolvers<undefined>();
  await broker.stop();
  const other = await startScriptedBroker(
    {
      answer: (arrival) => {
        const sequences = arrival.topic.endsWith('/up/p1') ? sequencesOf(arrival) : [];
        if (sequences.includes(9)) moved.resolve(undefined);
        return 0;
      },
    },
    broker.port,
    '127.0.0.2',
  );
  context.after(() => other.stop());
  const status = await waiting(uplink);
  await retried(world, status); // nothing listens at the old address
  const refused = await waiting(uplink);
  assert.equal(refused.lastFailure?.code, 'connection-refused');
  world.resolve([{ address: '127.0.0.2', family: 4 }]);
  await retried(world, refused);
  await owe(store, 'p1', 5, 5);
  await moved.promise;
  await uplink.stop();
});

test('a dead IPv6 before an IPv4 that lives costs seconds, not the link', async (context) => {
  const world = await named(context, [DEAD_IPV6, HERE]);
  const { store, arrivals, until, uplink } = world;
  await owe(store, 'p1', 0, 10);
  await until(() => sequencesIn(arrivals, 'p1').length === 10);
  assert.equal(uplink.status().lastFailure, undefined, 'the first dial succeeds');
});

test('of several dead addresses that is told which says most', () => {
  const target = { host: 'broker.example', port: 8883, secure: true };
  for (const [codes, expected] of [
    [['EHOSTUNREACH', 'ECONNREFUSED'], 'connection-refused'],
    [['ECONNREFUSED', 'ETIMEDOUT'], 'connection-refused'],
    [['ENETUNREACH', 'ETIMEDOUT'], 'unreachable'],
  ] as const) {
    const all = new AggregateError(codes.map(errorOf));
    assert.equal(connectFailureOf(all, target).code, expected);
  }
});

function errorOf(code: string): Error {
  return Object.assign(new Error(`getaddrinfo ${code}`), { code });
}

function hasHost(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(9, host);
    socket.on('error', ({ message }) => resolve(message.includes('ECONNREFUSED')));
    socket.on('connect', () => resolve(true)).on('connect', () => socket.destroy());
  });
}
