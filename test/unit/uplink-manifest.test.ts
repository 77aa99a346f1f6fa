import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Verifier } from '#contract/verify.ts';
import type { SessionLimits } from '#sim/life/broker-session.ts';
import { machineZstd } from '#system/zstd.ts';
import { sha256 } from '../support/contract.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { range } from '../support/uplink.ts';
import { TAKEN, VirtualUplink } from '../support/virtual-uplink.ts';

const STREAMS = 40;
const PACKET_BYTES_MAX = 1600;

/** An uplink that has sent three observations of each of forty streams, and has taken leave. */
async function told(
  context: TestContext,
  limits: SessionLimits,
  fate: VirtualUplink['fate'],
): Promise<VirtualUplink> {
  const world = new VirtualUplink({ directory: join(temporaryFolder(context), 'state') });
  Object.assign(world, { limits, fate });
  await world.start(async (store) => {
    await Promise.all(range(STREAMS).map((at) => oweIn(store, 'measurement', `m-${at}`, 0, 3)));
  });
  await world.clock.run(60_000);
  await world.stop();
  return world;
}

function assertProven(payloads: VirtualUplink['arrived']): void {
  const verifier = new Verifier({ sha256, compression: machineZstd });
  for (const { topic, payload } of payloads) verifier.take(`nd/1/gw-1/${topic}`, payload);
  const { complete, streams, faults } = verifier.report();
  assert.deepEqual(faults, []);
  assert.equal(streams.length, STREAMS);
  assert.ok(complete);
}

test('streams that one packet has no room for are told in several', async (context) => {
  const limits = { packetBytesMax: PACKET_BYTES_MAX };
  const { arrived } = await told(context, limits, () => TAKEN);
  assert.ok(arrived.every(({ payload }) => payload.length < PACKET_BYTES_MAX));
  assertProven(arrived);
});

test('a broker that only refuses what is too large gets smaller manifests', async (context) => {
  const refusal = { code: 'packet-too-large', message: 'too large' };
  const { arrived } = await told(context, {}, ({ payload }) =>
    payload.length > PACKET_BYTES_MAX ? { ...TAKEN, refusal } : TAKEN,
  );
  assertProven(arrived.filter(({ payload }) => payload.length <= PACKET_BYTES_MAX));
});
