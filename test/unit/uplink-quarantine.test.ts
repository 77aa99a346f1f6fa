import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { Acknowledger } from '#uplink/acknowledger.ts';
import { Lane } from '#uplink/lane.ts';
import { openUplink } from '#uplink/open.ts';
import { HangUps } from '#uplink/quarantine-rule.ts';
import type { Message } from '#uplink/session.ts';
import { nothingOwed, owe, temporaryFolder } from '../support/outbox.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { GATEWAY, open, range, scene, sequencesIn, sequencesOf, urlOf } from '../support/uplink.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

test('a broker that refuses everything does not empty the outbox', async (context) => {
  let ill = true;
  let refused = 0;
  const { store, broker, arrivals, until } = await scene(context, (arrival) =>
    ill && sequencesOf(arrival).some((number) => number > 0) ? 0x99 : 0,
  );
  await owe(store, 'm', 0, 40);
  const clock = new VirtualClock();
  const lines = new Map<string, number>();
  const asideAt: number[] = [];
  const log = (_: string, event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const times = (lines.get(event) ?? 0) + 1;
    lines.set(event, times);
    if (event !== 'uplink.refused') return;
    void store.quarantined(GATEWAY.backend).then(({ length }) => {
      asideAt.push(length);
      if (times === 5) [ill, refused] = [false, arrivals.length];
      clock.advance(Number(fields['retryMs']));
    });
  };
  const ports = { store, clock, entropy: machineEntropy, log };
  const uplink = openUplink({ ...GATEWAY, url: urlOf(broker) }, ports);
  context.after(() => uplink.stop());
  const taken = (): readonly number[] => sequencesIn(arrivals.slice(refused), 'm');
  await until(() => !ill && taken().includes(39));
  await uplink.stop();
  assert.deepEqual(asideAt, [3, 4, 4, 4, 5], 'each takes twice as many refusals as the one before');
  assert.equal((await store.quarantined(GATEWAY.backend)).length, 5);
  assert.equal((await store.due(GATEWAY.backend, 'measurement', 0, 100)).length, 0);
  assert.equal(lines.get('uplink.quarantined'), 1, 'told once a minute');
});

test('a broker that leaves over everything with a word sets aside ever more slowly', () => {
  const hangUps = new HangUps();
  const verdicts = Array.from({ length: 7 }, (_, at) => {
    const id = at < 1 ? 1 : at < 3 ? 2 : 3;
    const oldest = { id, stream: 'm', of: 'measurement' } as const;
    const sent = { sequence: id, count: 1, alone: true };
    return hangUps.lost({ code: 'payload-invalid', oldest, ...sent });
  });
  const [one, wait] = ['quarantine', 'alone'];
  assert.deepEqual(verdicts, [one, wait, one, wait, wait, wait, one]);
});

test('what is sent again while its stream is refused goes when that goes on', async (context) => {
  let [poison, full] = [true, true];
  const { store, broker, arrivals, until } = await scene(context, (arrival) => {
    const sequences = sequencesOf(arrival);
    if (poison && sequences.includes(3)) return 0x99;
    return full && sequences.includes(8) ? 0x97 : 0;
  });
  const clock = new VirtualClock();
  const uplink = open(context, store, { url: urlOf(broker) }, clock);
  await owe(store, 'm', 0, 10);
  await uplink.reached(({ refusedStreams }) => refusedStreams['m']?.code === 'quota-exceeded');
  const [aside] = await store.quarantined('utility');
  assert.equal(aside?.sequence, 3);
  poison = false;
  assert.ok(await store.resend('utility', aside.id));
  while ((await store.quarantined('utility')).length > 0);
  full = false;
  clock.advance(2000);
  await until(() => sequencesIn(arrivals, 'm').at(-1) === 9);
  await nothingOwed(store, () => store.flush());
  await uplink.stop();
});

test('a page asked for during a refusal comes after what was passed over', async (context) => {
  const world = new OwingStore({ directory: temporaryFolder(context), runCountMax: 1 });
  await world.open();
  context.after(() => world.close());
  const { store, clock } = world;
  const parts = { backend: BACKEND, store, clock, entropy: machineEntropy, log: () => undefined };
  const durable = (): void => undefined;
  const acknowledger = new Acknowledger({ ...parts, awaitReceipt: false, durable });
  const waits = { batchMs: 0, backlogDelayMs: 0, pieceBytesMax: 1000 };
  const calls = {
    acknowledger,
    ready: () => undefined,
    failed: (error: unknown) => assert.fail(String(error)),
  };
  const lane = new Lane({ ...parts, ...calls, ...waits, of: 'measurement' });
  await world.appendAll('m', [0, 1]);
  lane.fill();
  await clock.run(20);
  const first = lane.next(1);
  assert.ok(first !== undefined);
  const refused = lane.queue.refused(first.pack, { code: 'payload-invalid', message: '' });

  await world.appendAll('m', [2]);
  const [last] = (await world.due()).slice(-1);
  assert.ok(last !== undefined && refused !== undefined);
  lane.woken({ firstId: last.id, lastId: last.id });
  lane.fill();
  lane.resume('m', refused.id); // before the store answers
  await clock.run(20);
  lane.fill();
  await clock.run(20);
  const sequences = lane.next(1000)?.pack.entries.map(({ sequence }) => sequence);
  assert.deepEqual(sequences, [1, 2]);
});

test('while the disk takes no quarantine one stream waits, and others go on', async (context) => {
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, runCountMax: 1 });
  context.after(() => world.kill());
  const poison = { ...TAKEN, refusal: { code: 'payload-invalid', message: 'refused' } };
  world.fate = (message) =>
    message.topic.endsWith('/up/bad') && sequencesOf(asArrived(message)).includes(0)
      ? poison
      : TAKEN;
  await world.start();
  const { store, clock, dials } = world;
  const quarantine = store.quarantine.bind(store);
  const readOnly = new OperatingError('disk-read-only', 'remounted');
  Object.assign(store, { quarantine: () => Promise.reject(readOnly) });
  await world.owe('measurement', 'bad', 0, 2);
  for (const at of range(10)) {
    await world.owe('measurement', 'm', at, 1);
    await clock.run(60_000);
  }
  assert.deepEqual(world.sequences('m'), range(10));
  assert.equal(dials.length, 1);
  assert.ok(world.sequences('bad').length < 20, 'less and less often');

  Object.assign(store, { quarantine });
  await clock.run(600_000);
  assert.equal(world.sequences('bad').at(-1), 1);
  assert.deepEqual(
    (await store.quarantined(BACKEND)).map(({ stream, sequence }) => [stream, sequence]),
    [['bad', 0]],
  );
});

const asArrived = ({ payload }: Message) => ({ payload: Buffer.from(payload) });
