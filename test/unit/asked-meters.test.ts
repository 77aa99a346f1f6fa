import assert from 'node:assert/strict';
import { createServer, connect as connectTo } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openAskedMeter } from '#acquisition/asked-meter.ts';
import type { DeviceNotice } from '#acquisition/device.ts';
import { LineTurns } from '#acquisition/line-turns.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { nextSlot } from '#acquisition/slots.ts';
import { toHex } from '#bytes/hex.ts';
import { newestOf } from '#gateway/newest.ts';
import { profileReader, registerReader } from '#gateway/meter-reader.ts';
import type { MeterReader } from '#gateway/meter-reader.ts';
import { openLink } from '#link/open.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { rowClockOf } from '#reading/from-profile.ts';
import type { Observation } from '#reading/reading.ts';
import { decodeStored, encodeStored } from '#reading/stored.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import type { CosemObjectsOptions } from '#sim/cosem-objects.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import type { Store } from '#store/store.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { TimeZone } from '#system/time-zone.ts';
import { hurriedClock } from '../support/hurried-clock.ts';
import { folder, opened } from '../support/store.ts';

/** A retry after 15 s comes in some 100 ms. */
const clock = hurriedClock(100);
const ROWS = 60;
/** An APDU holds some seven rows: the profile comes in nine blocks. */
const PDU_BYTES = 200;
const QUARTER = { everyMs: 900_000, offsetMs: 0 };
const OPTIONS = { clock };

async function meterPort(
  context: TestContext,
  more: Partial<CosemObjectsOptions> = {},
): Promise<number> {
  const objects = new CosemObjects({ clock, deviceName: 'NRM1', profileRows: ROWS, ...more });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  const meter = await startCosemMeter({ clock, objects, link, port: 0 });
  context.after(() => meter.stop());
  return meter.port;
}

/** A way to the meter that ends a connection after so many of the meter's messages. */
async function cutting(context: TestContext, port: number, cuts: number[]): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTo(port, '127.0.0.1');
    let left = cuts.shift() ?? Infinity;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => {
      left -= 1;
      if (left < 0) near.destroy();
      else near.write(bytes);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Asked {
  readonly port: number;
  readonly source: string;
  readonly read: MeterReader;
  readonly keep: (observations: readonly Observation[]) => Promise<void>;
  readonly turns?: LineTurns;
  readonly notice?: (notice: DeviceNotice) => void;
}

function asked(context: TestContext, { port, source, read, keep, ...rest }: Asked): void {
  const link = () => meterLinkOf({ framing: 'wrapper', client: 16, logical: 1 });
  const device = openAskedMeter({
    name: source,
    line: 'bus',
    turns: rest.turns ?? new LineTurns(),
    slots: QUARTER,
    open: () =>
      openMeterSession({
        link: openLink(
          { kind: 'tcp', host: '127.0.0.1', port },
          { clock, entropy: machineEntropy },
        ),
        connect: () =>
          new DlmsClient({
            link: link(),
            referencing: 'LN',
            authenticator: { mechanismName: MECHANISM.lowest },
            clientMaxReceivePduSize: PDU_BYTES,
          }),
        clock,
      }),
    read,
    keep,
    clock,
    entropy: machineEntropy,
    notice: rest.notice ?? (() => undefined),
  });
  context.after(() => device.stop());
}

/** Keeps in a store, and tells when the last row is in it. */
function keeping(store: Store, rows: number) {
  const { promise: all, resolve } = Promise.withResolvers<undefined>();
  let kept = 0;
  return {
    all,
    keep: async (observations: readonly Observation[]): Promise<void> => {
      await store.appendAll(
        observations.map((observation) => ({
          source: observation.source,
          observation: encodeStored(observation),
          readings: observation.readings.length,
          takenMs: Date.now(),
          outputs: [],
        })),
      );
      kept += observations.length;
      if (kept === rows) resolve(undefined);
    },
  };
}

test('a profile cut at every block goes on behind the last stored row', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const cuts = [1, 3, 5, ...Array.from({ length: 20 }, () => 3)];
  const port = await cutting(context, await meterPort(context), cuts);
  const newest = () => newestOf(store, 'meter');
  const read = profileReader('1-0:99.1.0', { ...OPTIONS, source: 'meter', newest });
  const { keep, all } = keeping(store, ROWS);
  const failures: string[] = [];
  const notice = ({ kind }: DeviceNotice) => void failures.push(kind);
  asked(context, { port, source: 'meter', read, keep, notice });
  await all;
  assert.ok(failures.length >= 5, `${failures.length} cuts`);
  const kept = await store.observations('meter', 0, 1000);
  const observations = kept.map(({ observation }) => decodeStored(observation));
  const seconds = observations.map(({ time }) => time.second);
  const [first = 0] = seconds;
  assert.deepEqual(
    seconds,
    seconds.map((_, index) => first + index * 900),
  );
  assert.ok(observations.every(({ time }) => time.clock === 'device' && time.trust === 'trusted'));
  const energy = observations[0]?.readings[1];
  assert.deepEqual([energy?.object, energy?.unit], ['1-0:1.8.0*255', 'Wh']);
});

/** A zone in summer, whatever the day of the test is. */
const SUMMER: TimeZone = { offsetMin: () => 120, winterOffsetMin: () => 60 };

test('an open deviation is that of the zone, or by a quirk of its winter', async (context) => {
  for (const [deviceName, offsetMin] of [
    ['NRM1', 120],
    ['KAM1', 60],
  ] as const) {
    const port = await meterPort(context, { deviceName, openDeviation: true });
    const newest = () => Promise.resolve([]);
    const options = { ...OPTIONS, zone: SUMMER, source: deviceName, newest };
    for (const read of [
      registerReader(['1-0:1.8.0'], options),
      profileReader('1-0:99.1.0', options),
    ]) {
      const { time, readings } = await firstOf(context, { port, source: deviceName, read });
      const raw = readings.find(({ object }) => object === '0-0:1.0.0*255')?.raw;
      assert.ok(raw instanceof Uint8Array);
      const shown = localSecondOf(dateTimeFrom(raw)) ?? NaN;
      assert.equal(shown - time.second, offsetMin * 60, deviceName);
    }
  }
});

function firstOf(context: TestContext, parts: Omit<Asked, 'keep'>): Promise<Observation> {
  return new Promise<Observation>((resolve) => {
    const keep = ([one]: readonly Observation[]): Promise<void> => {
      if (one !== undefined) resolve(one);
      return Promise.resolve();
    };
    asked(context, { ...parts, keep });
  });
}

test('registers have the time of the clock that is read with them', async (context) => {
  const port = await meterPort(context);
  const read = registerReader(['1-0:1.8.0', '1-0:32.7.0', '1-0:9.9.9'], {
    ...OPTIONS,
    source: 'meter',
  });
  const observation = await firstOf(context, { port, source: 'meter', read });
  assert.equal(observation.time.clock, 'device');
  assert.equal(observation.time.localOffsetMin, 60);
  const objects = observation.readings.map(({ object, scaler, unit }) => [object, scaler, unit]);
  assert.deepEqual(objects, [
    ['0-0:1.0.0*255', 0, ''],
    ['1-0:1.8.0*255', 0, 'Wh'],
    ['1-0:32.7.0*255', -1, 'V'],
  ]);
});

test('a dead meter on a line takes no turn for long, and the others are read', async (context) => {
  const live = await meterPort(context);
  const dead = await cutting(
    context,
    live,
    Array.from({ length: 1000 }, () => 0),
  );
  const turns = new LineTurns();
  const keep = () => Promise.resolve();
  const read = (source: string) => registerReader(['1-0:1.8.0'], { ...OPTIONS, source });
  const failed = new Promise<DeviceNotice>((resolve) => {
    asked(context, {
      port: dead,
      source: 'dead',
      read: read('dead'),
      keep,
      turns,
      notice: resolve,
    });
  });
  const source = await new Promise<string>((resolve) => {
    const taken = ([one]: readonly Observation[]): Promise<void> => {
      if (one !== undefined) resolve(one.source);
      return Promise.resolve();
    };
    asked(context, { port: live, source: 'live', read: read('live'), keep: taken, turns });
  });
  assert.equal(source, 'live');
  assert.equal((await failed).kind, 'waiting');
});

test('those who share a line take turns in the order in which they came', async () => {
  const turns = new LineTurns();
  const course: string[] = [];
  const work = (name: string) => async () => {
    course.push(`${name} begins`);
    await new Promise(setImmediate);
    course.push(`${name} ends`);
    if (name === 'a') throw new Error('it failed');
  };
  const first = assert.rejects(turns.take('bus', work('a')), { message: 'it failed' });
  await Promise.all([first, turns.take('bus', work('b')), turns.take('bus', work('c'))]);
  const expected = ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]);
  assert.deepEqual(course, expected);
});

test('slots lie on the clock, and so much later as they are told to', () => {
  const noon = Date.UTC(2026, 10, 21, 12);
  assert.equal(nextSlot(noon, QUARTER), noon + 900_000, 'the slot that has come is not waited for');
  assert.equal(nextSlot(noon - 1, QUARTER), noon);
  assert.equal(nextSlot(noon, { everyMs: 900_000, offsetMs: 20_000 }), noon + 20_000);
  assert.equal(nextSlot(noon + 20_000, { everyMs: 900_000, offsetMs: 20_000 }), noon + 920_000);
});

test('of a log with several rows of one time the place counts those stored', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  assert.deepEqual(await newestOf(store, 'log'), []);
  const { keep } = keeping(store, Infinity);
  const row = (source: string, second: number): Observation => ({
    source,
    time: { second, nanosecond: 0, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: [{ object: '0-0:1.0.0*255', raw: new Uint8Array(12), scaler: 0, unit: '' }],
  });
  for (const second of [1, 2, 3, 3, 4, 4, 4]) {
    await keep([row('log', second)]);
    for (let other = 0; other < second; other += 1) await keep([row('other', second)]);
  }
  const newest = await newestOf(store, 'log');
  assert.deepEqual(
    newest.map(({ time }) => time.second),
    [4, 4, 4],
  );
  for (let more = 0; more < 20; more += 1) await keep([row('log', 5)]);
  assert.equal((await newestOf(store, 'log')).length, 20);
  const clocks = newest.map((one) => toHex(rowClockOf(one) ?? new Uint8Array(0)));
  assert.ok(clocks.every((one) => one === '00'.repeat(12)));
});
