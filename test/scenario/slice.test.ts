import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { startPmuSimulator } from '#sim/pmu.ts';
import { openWorld } from '../support/gateway.ts';
import type { World } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';
import { numberOf } from '../support/subscriber.ts';
import type { Received } from '../support/subscriber.ts';
import { VECTORS, withoutVectors } from '../support/vectors.ts';

const skip = withoutMosquitto || withoutVectors;
const CAPTURE = 'c37118/captures/C37.118_1PMU_TCP';
const CAPTURED_FRAMES = 252;
/** Numbers begin here in each life of a stream. */
const FIRST_SEQUENCE = 0;

let world: World;

before(async () => {
  if (skip === false) world = await openWorld();
});
after(async () => {
  if (skip === false) await world.dispose();
});

interface Arrived {
  readonly observations: number;
  readonly readings: number;
  readonly packs: readonly Received[];
}

/**
 * What arrived of one stream, repeats left out: a pack sent again after a cut may begin among
 * observations that came before. Fails where a number is skipped.
 */
function arrived(stream: string): Arrived {
  const packs: Received[] = [];
  let next = FIRST_SEQUENCE;
  let readings = 0;
  for (const pack of world.subscriber.packs) {
    if (pack.baseName !== `gw-1/${stream}/`) continue;
    const fresh = Math.max(0, pack.sequence + pack.count - next);
    assert.ok(pack.sequence <= next, `${stream}: ${next} is missing, ${pack.sequence} came`);
    if (fresh === 0) continue;
    next += fresh;
    readings += (pack.records.length / pack.count) * fresh; // frames of one PMU are alike
    packs.push(pack);
  }
  return { observations: next - FIRST_SEQUENCE, readings, packs };
}

test('a captured PMU stream arrives at the head-end as tshark reads it', { skip }, async () => {
  const file = join(VECTORS, `${CAPTURE}.pcap`);
  const link = { kind: 'replay', file, pace: 'fast' };
  const gateway = await world.start([{ name: 'pmu', protocol: 'c37118', idCode: 241, link }]);
  await world.subscriber.until(() => arrived('pmu').observations >= CAPTURED_FRAMES);
  assert.equal(await gateway.end('SIGTERM'), 0);
  const values = arrived('pmu')
    .packs.flatMap(({ records }) => records)
    .filter((record) => /phasor\/\d\/magnitude$/.test(String(record.get(0))))
    .map((record) => numberOf(record.get(2)));
  const expected = oracleMagnitudes();
  assert.equal(values.length, expected.length);
  for (const [index, value] of values.entries()) {
    assert.ok(Math.abs(value - (expected[index] ?? NaN)) <= 0.001, `phasor ${index}`);
  }
});

function oracleMagnitudes(): readonly number[] {
  const text = gunzipSync(readFileSync(join(VECTORS, `${CAPTURE}.oracle.jsonl.gz`))).toString();
  return text
    .split('\n')
    .filter((line) => line.includes('"phasors"'))
    .flatMap((line) => (JSON.parse(line) as { phasors: { mag: number }[] }).phasors)
    .map(({ mag }) => mag);
}

test('what was confirmed before a kill -9 arrives after the restart', { skip }, async () => {
  const { mosquitto, subscriber } = world;
  const pmu = await startPmuSimulator({ idCode: 7, rate: 50 });
  const link = { kind: 'tcp', host: '127.0.0.1', port: pmu.port };
  const source = { name: 'killed', protocol: 'c37118', idCode: 7, link };
  await mosquitto.stop();
  const victim = await world.start([source]);
  const last = await victim.until(({ sources }) => (sources[0]?.stored ?? 0) >= 500);
  const confirmed = last.sources[0]?.stored ?? NaN;
  await victim.end('SIGKILL');
  await pmu.stop();
  await mosquitto.start();
  const heir = await world.start([source]);
  await subscriber.until(() => arrived('killed').readings >= confirmed);
  await heir.until(({ backends }) => backends[0]?.queued === 0);
  assert.equal(await heir.end('SIGTERM'), 0);
});

test('a broker that is away for a while costs nothing and no order', { skip }, async () => {
  const { mosquitto, subscriber } = world;
  const pmu = await startPmuSimulator({ idCode: 8, rate: 50 });
  const link = { kind: 'tcp', host: '127.0.0.1', port: pmu.port };
  const gateway = await world.start([{ name: 'away', protocol: 'c37118', idCode: 8, link }]);
  await subscriber.until(() => arrived('away').observations >= 10);
  await mosquitto.stop('SIGKILL');
  await gateway.until(({ backends }) => (backends[0]?.queued ?? 0) >= 500);
  await mosquitto.start();
  await gateway.until(({ backends }) => (backends[0]?.queued ?? 0) < 100);
  await pmu.stop();
  const status = await gateway.until(
    ({ sources: [source], backends: [backend] }) =>
      source?.link.state === 'waiting' && source.stored === source.taken && backend?.queued === 0,
  );
  assert.equal(await gateway.end('SIGTERM'), 0);
  const taken = status.sources[0]?.taken ?? NaN;
  await subscriber.until(() => arrived('away').readings >= taken);
  assert.equal(arrived('away').readings, taken);
});
