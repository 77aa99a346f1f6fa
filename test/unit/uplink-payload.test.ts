import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { utf8FromBytes } from '#bytes/text.ts';
import { unwrapPayload } from '#contract/envelope.ts';
import { encodeRecords } from '#reading/senml.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStore } from '#store/open.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { machineZstd } from '#system/zstd.ts';
import { messageOf } from '#uplink/packet.ts';
import { topicsOf } from '#uplink/topics.ts';
import { numbered, owe, temporaryFolder } from '../support/outbox.ts';
import {
  listener,
  open,
  range,
  scene,
  sequencesIn,
  sequencesOf,
  urlOf,
} from '../support/uplink.ts';
import { welcome5 } from '../support/scripted-broker.ts';

/** An alarm of `m`, which waits for nothing. */
async function alarm(store: Store): Promise<void> {
  const observation = numbered('m', 0);
  const owed = { backend: 'utility', stream: 'm_alarm', class: 'alarm', readings: 2 } as const;
  await store.append({
    source: 'm',
    observation: new Uint8Array(1),
    readings: 2,
    takenMs: Date.now(),
    outputs: [{ ...owed, ...encodeRecords(observation) }],
  });
}

test('what comes within batchMs travels in one message, and an alarm at once', async (context) => {
  const clock = new VirtualClock();
  const { store, broker, arrivals, until } = await scene(context, () => 0);
  const uplink = open(context, store, { url: urlOf(broker), batchMs: 1000 }, clock);
  await owe(store, 'm', 0, 1);
  await until(() => arrivals.length === 1);
  while (uplink.status().lanes.some(({ behind }) => behind)) await turn();
  for (const number of range(5)) await owe(store, 'm', 1 + number, 1);
  await alarm(store);
  await until(() => sequencesIn(arrivals, 'm_alarm').length === 1);
  assert.equal(arrivals.length, 2, 'what is not urgent still waits');
  clock.advance(1000);
  await until(() => arrivals.length === 3);
  assert.deepEqual(arrivals.map(sequencesOf), [[0], [0], [1, 2, 3, 4, 5]]);
});

/** Maximum Packet Size (MQTT 5, 3.2.2.3.6) of 800. */
const SMALL_PACKETS = [0x27, 0, 0, 0x03, 0x20];

test('a back-end that asks for JSON gets it, in as many packets as it takes', async (context) => {
  const store = await openStore({ directory: join(temporaryFolder(context), 'state') });
  context.after(() => store.close());
  const welcome = (): Uint8Array => welcome5(...SMALL_PACKETS);
  const broker = await listener(context, () => 0, welcome);
  const said = (topic: string): readonly unknown[] =>
    broker.arrivals
      .filter((one) => one.topic === `nd/1/gw-1/${topic}`)
      .map(({ payload }) => JSON.parse(utf8FromBytes(payload)) as unknown);
  await owe(store, 'm', 0, 20);
  open(context, store, { url: urlOf(broker), format: 'senml+json' }, new VirtualClock());
  const numbers = (): readonly number[] =>
    (said('up/m') as readonly JsonPack[]).flatMap(
      ([
        {
          k: [, first, count],
        },
      ]) => range(count).map((place) => first + place),
    );
  await broker.until(() => numbers().length === 20);
  assert.deepEqual(numbers(), range(20));
  const [birth] = said('st') as readonly { readonly capabilities: unknown }[];
  assert.deepEqual(birth?.capabilities, ['senml+json', 'pack']);
});

/** The records of a pack in JSON; the first has its key. */
type JsonPack = readonly [{ readonly k: readonly [epoch: number, first: number, count: number] }];

/** Ten observations of a stream as they wait. */
function entry(): DueEntry {
  const observations = range(10).map((number) => encodeRecords(numbered('m', number)));
  return {
    id: 1,
    stream: 'm',
    epoch: 1,
    sequence: 0,
    count: 10,
    records: Buffer.concat(observations.map(({ records }) => records)),
    recordCount: 20,
    readings: 20,
    takenMs: 0,
    committedMs: 0,
  };
}

test('a copy is compressed as what comes in its order, and both hold the same pack', () => {
  const wrapping = { gateway: 'gw-1', topics: topicsOf('gw-1'), format: 'senml+cbor' } as const;
  const pack = { stream: 'm', entries: [entry()] } as const;
  const bare = Buffer.from(messageOf({ kind: 'up', pack }, wrapping).payload);
  for (const kind of ['up', 'live'] as const) {
    const sent = messageOf({ kind, pack }, { ...wrapping, compression: machineZstd });
    assert.equal(sent.topic, `nd/1/gw-1/${kind === 'up' ? 'up' : 'lv'}/m`);
    const payload = Buffer.from(sent.payload);
    assert.ok(payload.length < bare.length / 4, `${payload.length} of ${bare.length} bytes`);
    assert.deepEqual(Buffer.from(unwrapPayload(payload, machineZstd)), bare);
  }
});
