import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { startP1Meter } from '#sim/p1-meter.ts';
import { openTcpWire } from '#sim/wire.ts';
import { machineClock } from '#system/clock.ts';
import { arm64Runtime, buildBundle, nativeRuntime, withoutArm64 } from '../support/bundle.ts';
import type { Runtime } from '../support/bundle.ts';
import { openWorld } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';

let bundle: string;

before(() => {
  bundle = buildBundle();
});
after(() => rmSync(dirname(bundle), { recursive: true }));

/** A P1 meter on TCP, the bundled normd, a real broker, and a head-end that decodes. */
async function round(runtime: Runtime): Promise<void> {
  const world = await openWorld();
  const wire = await openTcpWire();
  const write = (bytes: Uint8Array): void => wire.write(bytes);
  const meter = startP1Meter({ clock: machineClock, intervalMs: 200, write });
  try {
    const source = { name: 'house', protocol: 'p1', link: wire.link };
    const gateway = await world.start([source], { runtime, file: join(bundle, 'normd.mjs') });
    await world.subscriber.until(() => world.subscriber.packs.length >= 2);
    const records = world.subscriber.packs.flatMap((pack) => pack.records);
    const names = new Set(records.map((record) => record.get(0)));
    assert.ok(names.has('1-0:1.8.1.255'), [...names].join());
    assert.equal(await gateway.end('SIGTERM'), 0);
  } finally {
    meter.stop();
    await wire.close();
    await world.dispose();
  }
}

test('the bundle brings a reading to the broker', { skip: withoutMosquitto }, () =>
  round(nativeRuntime),
);

test('the bundle does so on arm64', { skip: withoutMosquitto || withoutArm64 }, () =>
  round(arm64Runtime()),
);

test('the bundled normctl answers, and lists its verbs', () => {
  const result = spawnSync(process.execPath, [join(bundle, 'normctl.mjs'), '--help'], {
    encoding: 'utf8',
    cwd: '/',
  });
  assert.equal(result.status, 0, result.stderr);
  for (const verb of ['config', 'decode', 'status']) assert.match(result.stdout, new RegExp(verb));
});
