import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { parseConfiguration } from '#config/load.ts';
import { startGateway, type Gateway } from '#gateway/gateway.ts';
import type { GatewayPorts } from '#gateway/ports.ts';
import { BrokerSession } from '#sim/life/broker-session.ts';
import { Cable } from '#sim/life/cable.ts';
import { Chance } from '#sim/life/chance.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere, type StoreHere } from '#store/here.ts';
import type { StoreOptions } from '#store/open.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const DAY_S = 86_400;
const DAY_MS = 1000 * DAY_S;
const MEBIBYTE = 1_048_576;
const NOON = Date.UTC(2026, 10, 21, 12) / 1000;
/** Time for whoever stops to take leave. */
const STOP_MS = 30 * SECOND_MS;

const PORTS = { utility: 1883, grid: 1884 } as const;
type Backend = keyof typeof PORTS;

/** What came to a broker, below the gateway's own topic, and its size with the whole of that. */
interface Arrived {
  readonly topic: string;
  readonly text: string;
  readonly bytes: number;
}

/** A gateway as its daemon composes it, in time of its own. */
interface Composed {
  readonly clock: VirtualClock;
  readonly gateway: Gateway;
  readonly store: StoreHere;
  /** What the store was opened with. */
  readonly asked: StoreOptions;
  /** What came to each back-end's broker, below the gateway's own topic. */
  readonly told: Readonly<Record<Backend, Arrived[]>>;
  /** Whether the brokers are there. */
  readonly brokers: { up: boolean };
  stop(): Promise<void>;
}

interface Wish {
  readonly folder: string;
  readonly clock?: VirtualClock;
  readonly store?: object;
  readonly outbox?: object;
}

async function composed(context: TestContext, wish: Wish): Promise<Composed> {
  const { folder, clock = new VirtualClock({ second: NOON }), store = {}, outbox = {} } = wish;
  const urlOf = (name: Backend): string => `mqtt://127.0.0.1:${PORTS[name]}`;
  const loaded = parseConfiguration(
    JSON.stringify({
      gateway: 'gw-1',
      state: folder,
      store,
      sources: [{ name: 'm', protocol: 'p1', link: { kind: 'tcp', host: 'meter', port: 1 } }],
      backends: [
        { name: 'utility', url: urlOf('utility'), outbox },
        { name: 'grid', url: urlOf('grid') },
      ],
    }),
    join(folder, 'normd.yaml'),
  );
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  const told: Composed['told'] = { utility: [], grid: [] };
  const brokers = { up: true };
  const opened: { store?: StoreHere; asked?: StoreOptions } = {};
  const cable = new Cable(new Chance('m'));
  const ports: GatewayPorts = {
    clock,
    entropy: seeded(0x9e37_79b9),
    log: () => undefined,
    openLink: (_options, linkPorts) => cable.link(linkPorts),
    startControl: () => Promise.resolve({ stop: () => Promise.resolve() }),
    async openStore(options) {
      opened.asked = options;
      opened.store = await openStoreHere(options);
      return opened.store;
    },
    dial({ target: { port } }) {
      if (!brokers.up) return Promise.reject(new OperatingError('connection-refused', 'nobody'));
      const name = port === PORTS.utility ? 'utility' : 'grid';
      const session = new BrokerSession(
        {
          wayMs: () => 10,
          judge({ topic, payload }) {
            const text = Buffer.from(payload).toString();
            const bytes = topic.length + payload.length;
            told[name].push({ topic: topic.replace('nd/1/gw-1/', ''), text, bytes });
            return { kind: 'answered', delayMs: 10 };
          },
        },
        clock,
      );
      return Promise.resolve(session);
    },
  };
  const gateway = await startGateway(loaded.configuration, ports);
  const { store: here, asked } = opened;
  assert.ok(here !== undefined && asked !== undefined);
  let over = false;
  const stop = async (): Promise<void> => {
    if (over) return;
    over = true;
    const stopped = gateway.stop();
    await clock.run(STOP_MS);
    await stopped;
  };
  context.after(stop);
  return { clock, gateway, store: here, asked, told, brokers, stop };
}

/** Observations of the measurements of `m`, owed to `utility` and confirmed. */
async function owe({ clock, store }: Composed, count: number): Promise<void> {
  const owed = oweIn(store, 'measurement', 'm', 0, count);
  await clock.run(SECOND_MS);
  await owed;
}

test('the store gets what the configuration says of it', async (context) => {
  const { asked } = await composed(context, {
    folder: temporaryFolder(context),
    store: { retainDays: 3, retainMegabytes: 17, commitDelayMs: 700 },
    outbox: { maxDays: 2, maxMegabytes: 5 },
  });
  const { retention, outboxes, commitDelayMs } = asked;
  assert.deepEqual(retention, { ageMs: 3 * DAY_MS, bytes: 17 * MEBIBYTE });
  assert.deepEqual(outboxes?.['utility'], { ageMs: 2 * DAY_MS, bytes: 5 * MEBIBYTE });
  assert.deepEqual(outboxes['grid'], { ageMs: 183 * DAY_MS, bytes: 256 * MEBIBYTE });
  assert.equal(commitDelayMs, 700);
});

test('a start believes no clock that is behind what the store has seen', async (context) => {
  const folder = temporaryFolder(context);
  const before = await composed(context, { folder });
  await before.clock.run(MINUTE_MS);
  await before.stop();
  const trustAt = async (second: number): Promise<string> => {
    const clock = new VirtualClock({ second, trust: 'unknown', boot: `boot-${second}` });
    const after = await composed(context, { folder, clock });
    const { trust } = (await after.gateway.status()).clock;
    await after.stop();
    return trust;
  };
  assert.equal(await trustAt(NOON - DAY_S), 'untrusted');
  assert.equal(await trustAt(NOON + DAY_S), 'unknown');
});

test('each back-end is told of a file set aside, and of its own gaps alone', async (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, 'store'));
  writeFileSync(join(folder, 'store/store.db'), 'this is no database'.repeat(1000));
  const all = await composed(context, { folder, outbox: { maxDays: 1 } });
  const { clock, told, brokers } = all;
  brokers.up = false;
  await owe(all, 3);
  await clock.run(DAY_MS + 10 * MINUTE_MS);
  await owe(all, 1); // bounds are held with each commit
  brokers.up = true;
  await clock.run(2 * MINUTE_MS);
  const events = (name: Backend): readonly unknown[] =>
    told[name].flatMap(({ topic, text }) => {
      if (topic !== 'ev') return [];
      const { event, reason } = JSON.parse(text) as Readonly<Record<string, unknown>>;
      return [reason === undefined ? event : [event, reason]];
    });
  assert.deepEqual(events('utility'), ['store-set-aside', ['gap', 'age']]);
  assert.deepEqual(events('grid'), ['store-set-aside']);
  const { backends } = await all.gateway.status();
  assert.deepEqual(
    backends.map(({ outbox }) => outbox.gaps),
    [{ age: 3 }, {}],
  );
});

test('a machine that has just booted does not dial at once, and says why', async (context) => {
  const all = await composed(context, { folder: temporaryFolder(context) });
  await all.clock.run(SECOND_MS / 10); // for what the store says first
  const { backends } = await all.gateway.status();
  for (const { state, failure } of backends) {
    assert.deepEqual([state, failure?.code], ['waiting', 'after-boot']);
  }
  await all.clock.run(30 * SECOND_MS);
  const later = await all.gateway.status();
  for (const { state } of later.backends) assert.equal(state, 'online');
});

test('bytes a day and a reading are told, and what came too late', async (context) => {
  const all = await composed(context, { folder: temporaryFolder(context) });
  all.brokers.up = false;
  await owe(all, 5);
  await all.clock.run(6 * MINUTE_MS);
  all.brokers.up = true;
  await all.clock.run(2 * MINUTE_MS);
  const { backends } = await all.gateway.status();
  const [utility] = backends;
  assert.ok(utility !== undefined);
  const { traffic, acknowledged, lanes } = utility;
  const bytes = all.told.utility.reduce((sum, one) => sum + one.bytes, 0);
  assert.equal(acknowledged, 10, 'two readings of each');
  assert.deepEqual(traffic.days, [{ day: '2026-11-21', bytes }]);
  assert.deepEqual([traffic.bytesToday, traffic.bytesPerReading], [bytes, bytes / 10]);
  const missed = lanes.map(({ class: of, missedDeadlines }) => [of, missedDeadlines]);
  assert.deepEqual(Object.fromEntries(missed), { command: 0, alarm: 0, measurement: 1, bulk: 0 });
});
