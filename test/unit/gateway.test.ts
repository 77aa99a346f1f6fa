import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { test } from 'node:test';
import { openDevices } from '#gateway/devices.ts';
import { EventDesk, type TellEvent } from '#gateway/event-desk.ts';
import { LatestReadings } from '#gateway/latest.ts';
import { ReadingPath } from '#gateway/path.ts';
import { StoreWatch } from '#gateway/store-watch.ts';
import { Throttle } from '#gateway/throttle.ts';
import { policyOf } from '#policy/policy.ts';
import type { Observation, RawValue } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStore } from '#store/open.ts';
import type { NamedGap, SetAside } from '#store/store.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { LogFields } from '#system/log.ts';

const silent = (): void => undefined;

const TIME = { second: 1_795_219_200, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;

function observation(objects: readonly string[], raw: RawValue = 1): Observation {
  const readings = objects.map((object) => ({ object, raw, scaler: 0, unit: 'Wh' }));
  return { source: 'meter', time: TIME, quality: ['questionable'], readings };
}

test('the newest readings are remembered in order, without what came with them', () => {
  const latest = new LatestReadings();
  latest.remember(observation(['a', 'b', 'c'], 1));
  latest.remember(observation(['a'], 2));
  const shown = latest.newest(2).map(({ reading }) => [reading.object, reading.raw]);
  assert.deepEqual(shown, [
    ['c', 1],
    ['a', 2],
  ]);
  assert.deepEqual(latest.newest(1)[0]?.quality, ['questionable']);
});

test('a device that names ever new objects and long texts does not fill the memory', () => {
  const latest = new LatestReadings();
  for (let index = 0; index < 3000; index += 1) {
    latest.remember(observation([`object-${index}`], 'x'.repeat(16_384)));
  }
  const all = latest.newest(Infinity);
  assert.equal(all.length, 1000);
  assert.equal(all.at(-1)?.reading.object, 'object-2999');
  assert.ok(all.every(({ reading }) => String(reading.raw).length <= 256));
});

test('an event is told once a minute, with the number of those passed over', () => {
  const clock = new VirtualClock();
  const throttle = new Throttle(clock);
  assert.equal(throttle.quietSince('bad-crc'), 0);
  assert.equal(throttle.quietSince('bad-crc'), undefined);
  assert.equal(throttle.quietSince('silent'), 0, 'another event has its own minute');
  clock.advance(59_999);
  assert.equal(throttle.quietSince('bad-crc'), undefined);
  clock.advance(1);
  assert.equal(throttle.quietSince('bad-crc'), 2);
});

test('what is taken is stored, owed as policy says, and told when refused', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'normd-path-'));
  context.after(() => rm(directory, { recursive: true }));
  const clock = new VirtualClock();
  const store = await openStore({ directory });
  context.after(() => store.close());
  const lines: string[] = [];
  const rules = [{ to: 'utility', purpose: 'bill', sources: ['meter'], objects: ['1-0:1.8.*'] }];
  const log = (level: string, event: string): void => void lines.push(`${level} ${event}`);
  const policy = policyOf(rules, ['utility']);
  const watch = new StoreWatch({ clock, log, tell: silent, freeBytes: () => 0 });
  const path = new ReadingPath(store, policy, { clock, log }, watch);
  const due = new Promise((resolve) => store.onDue('utility', resolve));
  path.take(observation(['1-0:1.8.0*255', '1-0:32.7.0*255']));
  await due;
  await store.counts(); // answered after the confirmation of what was appended before
  assert.deepEqual(
    { ...path.counts('meter'), latest: undefined },
    {
      taken: 2,
      stored: 2,
      refused: 0,
      latest: undefined,
    },
  );
  const [entry] = await store.due('utility', 'measurement', 0, 10);
  assert.equal(entry?.readings, 1, 'only what the rule names is owed');
  await store.close();
  for (let count = 0; count < 5; count += 1) path.take(observation(['1-0:1.8.0*255']));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(path.counts('meter').refused, 5);
  assert.deepEqual(lines, ['error store.refused'], 'told once, not five times');
});

test('what a deadband holds back is stored, and not owed', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'normd-deadband-'));
  context.after(() => rm(directory, { recursive: true }));
  const clock = new VirtualClock();
  const store = await openStore({ directory });
  context.after(() => store.close());
  const deadband = [{ objects: ['*'], absolute: 5, maxSeconds: 60 }];
  const rules = [{ to: 'utility', purpose: 'p', sources: ['meter'], objects: ['*'], deadband }];
  const log = silent;
  const watch = new StoreWatch({ clock, log, tell: silent, freeBytes: () => 0 });
  const path = new ReadingPath(store, policyOf(rules, ['utility']), { clock, log }, watch);
  const owed = async (raw = 1n): Promise<number> => {
    path.take(observation(['1-0:32.7.0*255'], raw));
    const isOpen = ({ taken, stored, refused } = path.counts('meter')) => taken > stored + refused;
    while (isOpen()) await store.counts();
    return (await store.counts()).backends['utility']?.queuedReadings ?? 0;
  };
  assert.deepEqual([await owed(), await owed()], [1, 1]);
  clock.advance(60_000);
  assert.equal(await owed(), 2, 'the longest silence is over');
  assert.equal(await owed(2n ** 70n), 2, 'the store refuses what it cannot hold');
  assert.equal(await owed(), 3, 'so that the next one is not held back');
  assert.equal(await owed(), 3);
  const { taken, stored, refused } = path.counts('meter');
  assert.deepEqual({ taken, stored, refused }, { taken: 6, stored: 5, refused: 1 });
});

/** A store that tells what the test makes it tell. */
function toldBy(setAside?: SetAside) {
  const gaps: ((gap: NamedGap) => void)[] = [];
  const files: ((setAside: SetAside) => void)[] = [];
  const opening = { file: 'store.db', epoch: 1, ...(setAside === undefined ? {} : { setAside }) };
  return {
    store: {
      opening,
      onGap: (report: (gap: NamedGap) => void) => {
        gaps.push(report);
        return () => undefined;
      },
      onSetAside: (report: (setAside: SetAside) => void) => {
        files.push(report);
        return () => undefined;
      },
    },
    gap: (gap: NamedGap) => gaps.forEach((report) => report(gap)),
    setAside: (setAside: SetAside) => files.forEach((report) => report(setAside)),
  };
}

test('gaps are told once a minute a stream, and all of them are counted', () => {
  const clock = new VirtualClock();
  const told: LogFields[] = [];
  const log = (_level: string, event: string, fields: LogFields = {}): void => {
    if (event === 'store.gap') told.push(fields);
  };
  const watch = new StoreWatch({ clock, log, tell: silent, freeBytes: () => 0 });
  const source = toldBy();
  watch.follow(source.store);
  const gap = { backend: 'utility', stream: 'm', epoch: 1, reason: 'age' } as const;
  for (const first of [0, 10, 20]) source.gap({ ...gap, first, last: first + 9 });
  source.gap({ ...gap, first: 30, last: 30, reason: 'quarantined' });
  clock.advance(60_000);
  source.gap({ ...gap, first: 40, last: 40 });
  assert.deepEqual(
    told.map(({ first, last, reason, repeated }) => [first, last, reason, repeated]),
    [
      [0, 9, 'age', undefined],
      [30, 30, 'quarantined', undefined],
      [40, 40, 'age', 2],
    ],
  );
  assert.deepEqual(watch.gapsOf('utility'), { age: 31, quarantined: 1 });
  assert.deepEqual(watch.gapsOf('other'), {});
});

test('a full disk begins once and ends once, however often its edge is crossed', () => {
  const clock = new VirtualClock();
  const told: unknown[] = [];
  const log = (level: string, event: string, fields: LogFields = {}): void => {
    if (event !== 'store.gap') told.push([level, event, fields['freeBytes']]);
  };
  const events: unknown[] = [];
  const tell: TellEvent = (event, fields, backend) => events.push([event, fields, backend]);
  const watch = new StoreWatch({ clock, log, freeBytes: () => 4096, tell });
  const source = toldBy();
  watch.follow(source.store);
  watch.stored();
  watch.refused('store-busy');
  assert.deepEqual(told, []);
  for (let reading = 0; reading < 100; reading += 1) {
    watch.refused('disk-full');
    watch.stored();
    clock.advance(1000);
  }
  const full = ['error', 'store.disk-full', 4096];
  assert.deepEqual(told, [full]);
  clock.advance(60_000);
  watch.stored();
  watch.stored();
  const recovered = ['info', 'store.disk-recovered', 4096];
  assert.deepEqual(told, [full, recovered]);
  // Where a less urgent entry gives way, nothing is refused, and the disk is full all the same.
  const numbers = { epoch: 1, first: 0, last: 0 };
  source.gap({ backend: 'utility', stream: 'm', ...numbers, reason: 'disk-full' });
  assert.deepEqual(told, [full, recovered, full]);
  const fullEvent = ['disk-full', { freeBytes: 4096 }, undefined];
  const gap = { stream: 'm', epoch: 1, from: 0, through: 0, reason: 'disk-full' };
  assert.deepEqual(events, [
    fullEvent,
    ['disk-recovered', { freeBytes: 4096 }, undefined],
    fullEvent,
    ['gap', gap, 'utility'],
  ]);
});

test('a read-only disk raises its own alarm, and what it refused is named without another', () => {
  const clock = new VirtualClock();
  const events: unknown[] = [];
  const tell: TellEvent = (event, fields) => events.push([event, fields]);
  const watch = new StoreWatch({ clock, log: () => undefined, freeBytes: () => 4096, tell });
  const source = toldBy();
  watch.follow(source.store);
  for (const code of ['disk-read-only', 'disk-read-only', 'disk-error']) watch.refused(code);
  clock.advance(10_000);
  const numbers = { stream: 'm', epoch: 1 };
  source.gap({ backend: 'utility', ...numbers, first: 0, last: 2, reason: 'disk-full' });
  clock.advance(60_000);
  watch.stored();
  assert.deepEqual(events, [
    ['disk-failed', { code: 'disk-read-only' }],
    ['disk-failed', { code: 'disk-error' }],
    ['gap', { ...numbers, from: 0, through: 2, reason: 'disk-full' }],
    ['disk-recovered', { freeBytes: 4096 }],
  ]);
});

test('a file set aside is told with what was saved from it, at the start and later', () => {
  const told: LogFields[] = [];
  const log = (_level: string, event: string, fields: LogFields = {}): void => {
    if (event === 'store.set-aside') told.push(fields);
  };
  const failure = { code: 'store-damaged', message: 'damaged' };
  const source = toldBy({ file: '/var/lib/normd/store.db.1', failure, salvagedEntries: 7 });
  const events: unknown[] = [];
  const desk = new EventDesk();
  const ports = { clock: new VirtualClock(), log, freeBytes: () => 0 };
  const watch = new StoreWatch({ ...ports, tell: desk.tell });
  watch.follow(source.store);
  source.setAside({ file: 'store.db.2', failure, salvagedEntries: 0 });
  assert.deepEqual(
    told.map(({ file, code, salvagedEntries }) => [file, code, salvagedEntries]),
    [
      ['/var/lib/normd/store.db.1', 'store-damaged', 7],
      ['store.db.2', 'store-damaged', 0],
    ],
  );
  const tell: TellEvent = (event, fields) => events.push([event, fields]);
  desk.open([{ name: 'utility', uplink: { tell } }]);
  assert.deepEqual(
    events,
    [
      ['store-set-aside', { file: 'store.db.1', salvagedEntries: 7 }],
      ['store-set-aside', { file: 'store.db.2', salvagedEntries: 0 }],
    ],
    'no path of this machine, and also what came before there was an uplink',
  );
  desk.tell('disk-full', { freeBytes: 0 }, 'another');
  assert.equal(events.length, 2, 'what is of another back-end is its own');
});

const LISTENER = { kind: 'tcp-listen', address: '127.0.0.1', port: 0, peersMax: 1 } as const;
const TALKER = { link: LISTENER, keys: {}, authentication: 'if-key', silentSeconds: 7 } as const;

for (const source of [
  { name: 'm', protocol: 'p1', ...TALKER },
  { name: 'm', protocol: 'dlms-push', framing: 'auto', ...TALKER },
] as const) {
  test(`${source.protocol}: a silent meter is given up after its own seconds`, async () => {
    const clock = new VirtualClock();
    const events = new Map<string, LogFields>();
    let heard: () => void = () => undefined;
    const log = (_level: string, event: string, fields: LogFields = {}): void => {
      events.set(event, fields);
      heard();
    };
    const until = async (event: string): Promise<LogFields> => {
      for (;;) {
        const fields = events.get(event);
        if (fields !== undefined) return fields;
        await new Promise<void>((resolve) => (heard = resolve));
      }
    };
    const ports = { clock, entropy: machineEntropy, log };
    const devices = openDevices({ sources: [source] }, { take: () => undefined }, ports);
    const meter = connect(Number((await until('device.listening'))['port']), '127.0.0.1');
    await until('device.up');
    clock.advance(6999);
    assert.equal(events.has('device.stalled'), false);
    clock.advance(1);
    assert.equal((await until('device.stalled'))['code'], 'silent');
    meter.destroy();
    await Promise.all(devices.map((device) => device.stop()));
  });
}
