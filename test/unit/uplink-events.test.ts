import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { Events } from '#uplink/events.ts';
import type { Message } from '#uplink/session.ts';
import { owe, temporaryStore } from '../support/outbox.ts';
import type { Arrival } from '../support/scripted-broker.ts';
import { listener, open, scene, urlOf } from '../support/uplink.ts';

const TOPIC = 'nd/1/gw-1/ev';

interface Told {
  readonly event: string;
  readonly at?: string;
  readonly [field: string]: unknown;
}

const toldIn = (arrivals: readonly Arrival[]): readonly Told[] =>
  arrivals
    .filter(({ topic }) => topic === TOPIC)
    .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as Told);

/** Events over a session whose broker answers when the test says so. */
function told(clock = new VirtualClock()) {
  const events = new Events({ topic: TOPIC, clock });
  const flying: { readonly payload: Message['payload']; answer: (code?: string) => void }[] = [];
  const begin = (): void =>
    events.begin(({ payload }, done) => {
      const answer = (code?: string): void =>
        done(code === undefined ? undefined : { code, message: '' });
      flying.push({ payload, answer });
    });
  return { events, clock, flying, begin };
}

test('an event is sent until a broker has it, and each time in the same bytes', () => {
  const { events, clock, flying, begin } = told(
    new VirtualClock({ second: 1_795_219_200, trust: 'trusted' }),
  );
  events.tell('disk-full', { freeBytes: 1 });
  clock.advance(90_000);
  begin();
  clock.advance(5_000);
  events.end();
  begin();
  const [first, second] = flying;
  assert.equal(first?.payload, second?.payload);
  const { at, severity } = JSON.parse(String(first?.payload)) as Told;
  assert.deepEqual([at, severity], ['2026-11-21T00:00:00.000Z', 'alarm'], 'when it was');
  assert.ok(events.urgent);
  second?.answer();
  assert.ok(!events.urgent);
  events.end();
  begin();
  assert.equal(flying.length, 2);
  assert.deepEqual(events.tally, { waiting: 0, sent: 1, dropped: 0 });
});

test('of too many events the least of them are given up, the oldest first', () => {
  const { events, flying, begin } = told();
  events.tell('disk-full', { freeBytes: 0 });
  for (let step = 0; step < 100; step += 1) events.tell('clock-corrected', { stepMs: step });
  const numbers = { stream: 'm', epoch: 1, from: 0, through: 0 };
  events.tell('gap', { ...numbers, reason: 'age' });
  begin();
  const names = flying.map(({ payload }) => JSON.parse(String(payload)) as Told);
  assert.equal(names.length, 64);
  assert.deepEqual(
    [names[0]?.event, names[1]?.['stepMs'], names.at(-1)?.event],
    ['disk-full', 38, 'gap'],
  );
  assert.equal(events.tally.dropped, 38);
});

test('an event without a date that is believed has none', () => {
  const { events, flying, begin } = told(new VirtualClock({ second: 5, trust: 'untrusted' }));
  events.tell('disk-recovered', { freeBytes: 9 });
  begin();
  assert.equal(
    flying[0]?.payload,
    '{"version":1,"event":"disk-recovered","severity":"info","freeBytes":9}',
  );
});

test('a refused event waits where people mend that, and goes where it is refused itself', () => {
  const { events, clock, flying, begin } = told();
  begin();
  events.tell('disk-full', { freeBytes: 0 });
  flying[0]?.answer('not-authorised');
  assert.equal(events.tally.waiting, 1);
  clock.advance(60_000);
  assert.equal(flying.length, 2);
  flying[1]?.answer('payload-invalid');
  clock.advance(60_000);
  assert.equal(flying.length, 2);
  assert.deepEqual(events.tally, { waiting: 0, sent: 0, dropped: 1 });
});

test('what is set aside is told with its numbers and the reason of the broker', async (context) => {
  const store = await temporaryStore(context);
  const { port, arrivals, until } = await listener(context, ({ topic }) =>
    topic.endsWith('/up/bad') ? 0x99 : 0,
  );
  await owe(store, 'bad', 0, 1);
  open(context, store, { url: urlOf({ port }) });
  await until(() => toldIn(arrivals).length === 1);
  const [{ at, epoch, ...rest } = { event: '' }] = toldIn(arrivals);
  assert.ok(at !== undefined && epoch !== undefined);
  assert.deepEqual(rest, {
    version: 1,
    event: 'quarantined',
    severity: 'warning',
    stream: 'bad',
    from: 0,
    through: 0,
    code: 'payload-invalid',
  });
});

test('the broker that takes over tells which one it came after, and why', async (context) => {
  const { store, broker } = await scene(context, () => 0);
  const { port, arrivals, until } = await listener(context, () => 0);
  const clock = new VirtualClock();
  const entropy = { ...machineEntropy, fraction: () => 0 };
  const brokers = [{ url: urlOf({ port }), weight: 1 }];
  const uplink = open(context, store, { url: urlOf(broker), brokers }, clock, entropy);
  await uplink.reached(({ state }) => state.kind === 'online');
  await broker.stop();
  await until(() => toldIn(arrivals).length === 1);
  const [told] = toldIn(arrivals);
  assert.equal(told?.event, 'broker-changed');
  assert.deepEqual([told['from'], told['to']], [urlOf(broker), urlOf({ port })]);
  assert.ok(['connection-closed', 'connection-reset'].includes(String(told['code'])));
});
