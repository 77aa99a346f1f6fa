import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { advanceAll, chainStart } from '#contract/chain.ts';
import { formsOfRecords } from '#contract/records.ts';
import { ReadingPath } from '#gateway/path.ts';
import { outboxCountsOf } from '#gateway/status.ts';
import { StoreWatch } from '#gateway/store-watch.ts';
import { byClass } from '#policy/delivery-class.ts';
import { policyOf } from '#policy/policy.ts';
import type { Observation, TimeMark } from '#reading/reading.ts';
import { decodePack } from '#reading/senml-decode.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { decodeStored } from '#reading/stored.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { Group } from '#store/group.ts';
import type { StoreHere } from '#store/here.ts';
import { openStoreHere } from '#store/here.ts';
import { Ledger } from '#store/ledger.ts';
import type { Now } from '#store/messages.ts';
import { migrate } from '#store/migrations.ts';
import { OUTBOX_RETENTION, RETENTION, type DueEntry } from '#store/store.ts';
import { machineEntropy } from '#system/entropy.ts';
import { openUplink } from '#uplink/open.ts';
import { Tallying } from '#uplink/tally.ts';
import { folder } from '../support/store.ts';

/** 2026-11-21T00:00:00Z. */
const SECOND = 1_795_219_200;
const DAY_MS = 86_400_000;
const RULES = [{ to: 'utility', purpose: 'bill', sources: ['*'], objects: ['*'] }];

const OWED = { backend: 'utility', stream: 'meter', class: 'measurement', readings: 2 } as const;

/** A gas meter's own time, behind the P1 port of an electricity meter. */
const GAS: TimeMark = { second: SECOND - 600, nanosecond: 0, clock: 'device', trust: 'trusted' };

function observation(number: number, time: TimeMark): Observation {
  const energy = { object: '1-0:1.8.0*255', raw: number, scaler: 0, unit: 'Wh' };
  const gas = { object: '0-1:24.2.1*255', raw: 7, scaler: 0, unit: 'm3', time: GAS };
  return { source: 'meter', time, quality: [], readings: [energy, gas] };
}

/** Takes readings `from … from + count − 1`, one a second; each is kept before the next. */
async function take(store: StoreHere, clock: VirtualClock, from: number, count: number) {
  const watch = { stored: () => undefined, refused: () => undefined };
  const ports = { clock, log: () => undefined };
  const path = new ReadingPath(store, policyOf(RULES, ['utility']), ports, watch);
  for (let number = from; number < from + count; number += 1) {
    path.take(observation(number, clock.wall()));
    await clock.run(1000);
  }
  assert.equal(path.counts('meter').stored, 2 * count);
}

/** One observation, taken while the clock was not believed. */
function undated(number: number, stored = new Uint8Array(1)): Group {
  const time = { second: 5, nanosecond: 0, clock: 'gateway', trust: 'untrusted' } as const;
  const taken = { source: 'meter', takenMs: 5000, boot: 'boot-1', readings: 2 };
  const outputs = [{ ...OWED, ...encodeRecords(observation(number, time)) }];
  const group = new Group();
  void group.append({ ...taken, observation: stored, outputs });
  return group;
}

/** A moment at which the boot is believed to have begun at `second`. */
function believing(openMs: number, second: number): Now {
  const belief = { boot: 'boot-1', offsetMs: second * 1000, trust: 'trusted' } as const;
  return { openMs, wallMs: second * 1000 + openMs, belief };
}

const dueOf = (store: StoreHere) => store.due('utility', 'measurement', 0, 1000);

/** What a back-end reads: number, second, whose clock, trust; and the second of the gas. */
function received(entries: readonly DueEntry[]) {
  return entries.flatMap((entry) => {
    const { records } = decodePack(encodePack({ gateway: 'gw', ...entry }, [entry]));
    return records.map(({ object, raw, time: { second, clock, trust } }) =>
      object.startsWith('0-1') ? ['gas', second, clock, trust] : [raw, second, clock, trust],
    );
  });
}

const gas = ['gas', GAS.second, 'device', 'trusted'];

test('what was taken before the clock was set arrives with its date', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const store = await openStoreHere({ directory: folder(context), clock });
  await clock.run(60_000);
  await take(store, clock, 0, 3);
  clock.set(SECOND, 'unknown'); // 63 s after the boot
  await take(store, clock, 3, 1);
  const due = await dueOf(store);
  assert.deepEqual(received(due), [
    ...[[0, SECOND - 3, 'gateway', 'unknown'], gas],
    ...[[1, SECOND - 2, 'gateway', 'unknown'], gas],
    ...[[2, SECOND - 1, 'gateway', 'unknown'], gas],
    ...[[3, SECOND, 'gateway', 'unknown'], gas],
  ]);
  const takenMs = (SECOND - 3) * 1000;
  assert.deepEqual(
    due.map((entry) => entry.takenMs - takenMs),
    [0, 1000, 2000, 3000],
  );
  const kept = await store.observations('meter', 0, 10);
  assert.deepEqual(
    kept.map((one) => [one.takenMs - takenMs, decodeStored(one.observation).time.second]),
    [0, 1, 2, 3].map((number) => [number * 1000, SECOND - 3 + number]),
  );
  assert.deepEqual(decodeStored(kept[0]?.observation ?? new Uint8Array(0)).readings[1]?.time, GAS);
  await store.close();
});

test('a group of both keeps their order, and the chain is of what was sent', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const store = await openStoreHere({ directory: folder(context), clock });
  const watch = { stored: () => undefined, refused: () => undefined };
  const ports = { clock, log: () => undefined };
  const path = new ReadingPath(store, policyOf(RULES, ['utility']), ports, watch);
  path.take(observation(0, clock.wall()));
  path.take(observation(1, clock.wall()));
  clock.set(SECOND, 'trusted');
  path.take(observation(2, clock.wall()));
  clock.set(9, 'untrusted');
  path.take(observation(3, clock.wall()));
  await clock.run(1000);
  clock.set(SECOND + 1, 'trusted');
  const due = await dueOf(store);
  assert.deepEqual(
    due.map(({ sequence, count }) => [sequence, count]),
    [
      [0, 2],
      [2, 1],
      [3, 1],
    ],
  );
  const numbers = received(due).filter(([number]) => number !== 'gas');
  assert.deepEqual(
    numbers.map(([number, second]) => [number, second]),
    [0, 1, 2, 3].map((number) => [number, SECOND]),
  );
  await Promise.all([
    store.acknowledge(
      'utility',
      due.map(({ id }) => id),
    ),
    clock.run(1000),
  ]);
  const forms = due.flatMap(({ records }) => formsOfRecords(records));
  const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
  const [stream] = (await store.standing('utility')).streams;
  assert.deepEqual(
    Buffer.from(stream?.chain ?? []),
    Buffer.from(advanceAll(sha256, chainStart(), 0, forms)),
  );
  await store.close();
});

test('a kill between taking and setting the clock takes no date away', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const first = await openStoreHere({ directory, clock });
  await take(first, clock, 0, 2);
  first.abandon();
  const second = await openStoreHere({ directory, clock });
  await take(second, clock, 2, 1);
  clock.set(SECOND, 'trusted');
  await second.believe();
  second.abandon();
  // Known once, it is known for good: also after a boot whose clock is not believed.
  clock.reboot('boot-2');
  clock.set(7, 'untrusted');
  const third = await openStoreHere({ directory, clock });
  const expected = [0, 1, 2].flatMap((n) => [[n, SECOND - 3 + n, 'gateway', 'trusted'], gas]);
  assert.deepEqual(received(await dueOf(third)), expected);
  await third.close();
});

test('what a boot never dated is sent in order, marked untrusted', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const first = await openStoreHere({ directory, clock });
  await take(first, clock, 0, 2);
  first.abandon();
  clock.reboot('boot-2');
  const second = await openStoreHere({ directory, clock });
  await take(second, clock, 2, 1);
  clock.set(SECOND, 'trusted');
  assert.deepEqual(received(await dueOf(second)), [
    ...[[0, 0, 'gateway', 'untrusted'], gas],
    ...[[1, 0, 'gateway', 'untrusted'], gas],
    ...[[2, SECOND - 1, 'gateway', 'trusted'], gas],
  ]);
  const kept = await second.observations('meter', 0, 10);
  const marks = kept.map((one) => decodeStored(one.observation).time.trust);
  assert.deepEqual(marks, ['untrusted', 'untrusted', 'trusted']);
  await second.close();
});

test('what has gone out without a date keeps its bytes when it becomes known', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const store = await openStoreHere({ directory: folder(context), clock });
  await take(store, clock, 0, 1);
  const sent = await dueOf(store);
  await take(store, clock, 1, 1);
  clock.set(SECOND, 'trusted');
  const again = await dueOf(store);
  assert.deepEqual(again[0]?.records, sent[0]?.records);
  assert.deepEqual(received(again.slice(1)), [[1, SECOND - 1, 'gateway', 'trusted'], gas]);
  await store.close();
});

test('to be asked what waits takes no date away', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const store = await openStoreHere({ directory: folder(context), clock });
  await take(store, clock, 0, 2);
  const silent = (): undefined => undefined;
  const watch = new StoreWatch({ clock, log: silent, tell: silent, freeBytes: silent });
  const oldest = async () => (await outboxCountsOf(store, ['utility'], watch)).get('utility');
  assert.equal((await oldest())?.oldest, undefined, 'it has no date yet');
  clock.set(SECOND, 'trusted');
  await store.believe();
  assert.equal((await oldest())?.oldest, '2026-11-20T23:59:58Z');
  assert.deepEqual(received(await dueOf(store)), [
    ...[[0, SECOND - 2, 'gateway', 'trusted'], gas],
    ...[[1, SECOND - 1, 'gateway', 'trusted'], gas],
  ]);
  await store.close();
});

test('an alarm keeps its date while its uplink waits for the clock to be set', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const directory = folder(context);
  const alarm = { ...OWED, stream: 'meter_alarm', class: 'alarm' } as const;
  const first = await openStoreHere({ directory, clock });
  const time = { second: 0, nanosecond: 0, clock: 'gateway', trust: 'untrusted' } as const;
  const kept = first.append({
    ...{ source: 'meter', takenMs: clock.monotonic(), boot: clock.boot, readings: 2 },
    observation: new Uint8Array(1),
    outputs: [{ ...alarm, ...encodeRecords(observation(0, time)) }],
  });
  await Promise.all([kept, clock.run(1000)]);
  first.abandon();

  const store = await openStoreHere({ directory, clock });
  const codes: string[] = [];
  const uplink = openUplink(
    {
      ...{ backend: 'utility', gateway: 'gw-1', software: '0', url: 'mqtts://broker.example:8883' },
      credentials: { key: 'key', certificate: 'certificate', anchors: ['anchors'] },
    },
    {
      ...{ store, clock, entropy: machineEntropy },
      log: (_level, _event, fields) => codes.push(String(fields?.['code'])),
    },
  );
  await clock.run(3000);
  assert.ok(codes.includes('clock-not-trusted'), codes.join());
  clock.set(SECOND, 'trusted');
  await store.believe();
  const due = await store.due('utility', 'alarm', 0, 10);
  assert.deepEqual(received(due), [[0, SECOND - 4, 'gateway', 'trusted'], gas]);
  await Promise.all([uplink.stop(), clock.run(20_000)]);
  await store.close();
});

test('what a meter had kept for a week ages from its commit', async (context) => {
  const clock = new VirtualClock({ second: SECOND, trust: 'trusted' });
  const options = { directory: folder(context), clock };
  const store = await openStoreHere(options);
  const group = { source: 'meter', observation: new Uint8Array(1), readings: 2 };
  const time = { ...GAS, second: SECOND - 7 * 86_400 };
  const outputs = [{ ...OWED, ...encodeRecords(observation(0, time)) }];
  const append = store.append({ ...group, takenMs: time.second * 1000, outputs });
  await Promise.all([append, clock.run(60_000)]);
  const waited = (at: { readonly committedMs?: number } | undefined): number =>
    Math.round((clock.monotonic() - (at?.committedMs ?? NaN)) / 1000);
  assert.equal(waited((await store.counts()).backends['utility']?.lanes.measurement), 60);
  const closed = store.close();
  await Promise.all([closed, clock.run(120_000)]);
  const again = await openStoreHere(options);
  const due = await dueOf(again);
  assert.deepEqual(due.map(waited), [180]);
  const tally = new Tallying();
  tally.acknowledged('measurement', due, clock.monotonic());
  assert.deepEqual(
    tally.value.missedDeadlines,
    byClass(() => 0),
  );
  assert.ok((tally.value.latencyMs?.p99 ?? Infinity) < 200_000);
  await clock.run(120_100);
  tally.acknowledged('measurement', due, clock.monotonic());
  tally.acknowledged('bulk', due, clock.monotonic());
  assert.deepEqual(tally.value.missedDeadlines, { ...byClass(() => 0), measurement: 1 });
  await again.close();
});

test('a date that a failed transaction has learnt is not given out', () => {
  const database = new Sqlite(':memory:');
  migrate(database, 1);
  const bounds = { shelf: RETENTION, outboxOf: () => OUTBOX_RETENTION };
  const ledger = new Ledger(database, bounds, { openMs: 0 });
  ledger.commit(undated(0).seal({ openMs: 1 }, []));
  ledger.mayGrow(false);
  const large = undated(1, randomBytes(1 << 16)).seal(believing(2, SECOND), []);
  assert.throws(() => ledger.commit(large), { code: 'SQLITE_FULL' });
  const ask = { name: 'utility', class: 'measurement', afterId: 0, limit: 10 } as const;
  const [first] = ledger.due({ ...ask, now: believing(3, SECOND + 1) });
  ledger.mayGrow(true);
  ledger.commit(undated(1).seal(believing(4, SECOND + 2), []));
  const [again] = ledger.due({ ...ask, now: believing(5, SECOND + 2) });
  assert.deepEqual(again?.records, first?.records, 'a number has one content');
  database.close();
});

test('the first believed time of a boot counts, whatever the clock says later', async (context) => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const store = await openStoreHere({ directory: folder(context), clock });
  await take(store, clock, 0, 1);
  clock.set(SECOND, 'unknown');
  const first = await dueOf(store);
  clock.set(SECOND + 3600, 'trusted');
  await store.believe();
  assert.deepEqual(await dueOf(store), first);
  await store.close();
});

for (const [name, stepMs, backMs] of [
  ['a step of a day ahead', DAY_MS, 0],
  ['a step of a day back', -DAY_MS, 0],
  ['a leap to 2040 and back', 13 * 365 * DAY_MS, -13 * 365 * DAY_MS],
] as const) {
  test(`${name} changes no order and no number, and lets nothing expire`, async (context) => {
    const directory = folder(context);
    const clock = new VirtualClock();
    const outboxes = { utility: { ageMs: DAY_MS / 2, bytes: 1 << 30 } };
    const retention = { ageMs: DAY_MS / 2, bytes: 1 << 30 };
    const first = await openStoreHere({ directory, clock, outboxes, retention });
    await take(first, clock, 0, 25);
    clock.step(stepMs);
    await take(first, clock, 25, 25);
    clock.step(backMs);
    await take(first, clock, 50, 1);
    const due = await dueOf(first);
    const numbers = received(due).flatMap(([number]) => (number === 'gas' ? [] : [number]));
    assert.deepEqual(
      numbers,
      Array.from({ length: 51 }, (_, number) => number),
    );
    assert.deepEqual(
      due.map(({ sequence }) => sequence),
      numbers,
    );
    assert.equal((await first.observations('meter', 0, 100)).length, 51);
    // Half a day that has really passed is another matter.
    await clock.run(DAY_MS / 2);
    await take(first, clock, 51, 1);
    assert.deepEqual(
      (await dueOf(first)).map(({ sequence }) => sequence),
      [51],
    );
    await first.close();
  });
}

test('the store remembers when the clock was last believed', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock();
  const first = await openStoreHere({ directory, clock });
  await take(first, clock, 0, 1);
  clock.set(5, 'untrusted');
  await take(first, clock, 1, 1);
  first.abandon();
  const second = await openStoreHere({ directory, clock });
  assert.equal(second.opening.believedMs, SECOND * 1000 + 10);
  await second.close();
});
