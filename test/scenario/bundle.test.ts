import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { startP1Meter } from '#sim/p1-meter.ts';
import { openTcpWire } from '#sim/wire.ts';
import { machineClock } from '#system/clock.ts';
import { noticesOf } from '../../ci/notices.ts';
import { arm64Runtime, buildBundle, nativeRuntime, withoutArm64 } from '../support/bundle.ts';
import type { Runtime } from '../support/bundle.ts';
import { openWorld } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';

const packageFile = (name: string, file: string): string =>
  readFileSync(join(import.meta.dirname, '../../node_modules', name, file), 'utf8');
const manifestOf = (name: string): { version: string; license: string } =>
  JSON.parse(packageFile(name, 'package.json')) as { version: string; license: string };
const licenceOf = (name: string): string =>
  packageFile(name, name === 'mqtt' ? 'LICENSE.md' : 'LICENSE').trim();

let bundle: string;
/** When it was built, in seconds since 1970: from, and until. */
let built: readonly [number, number];

/** What a build now puts in as its moment. */
const nowSeconds = (): number =>
  Number(process.env['SOURCE_DATE_EPOCH'] ?? Math.floor(Date.now() / 1000));

before(() => {
  const from = nowSeconds();
  bundle = buildBundle();
  built = [from, nowSeconds()];
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

test('the bundle believes no clock of before it was built', () => {
  const modules = readdirSync(bundle).filter((name) => name.endsWith('.mjs'));
  const floors = modules.flatMap((name) => {
    const text = readFileSync(join(bundle, name), 'utf8');
    return Array.from(text.matchAll(/const BUILD_SECOND = (\d+);/g), ([, second]) =>
      Number(second),
    );
  });
  const [from, until] = built;
  assert.ok(floors.length > 0);
  for (const floor of floors)
    assert.ok(floor >= from && floor <= until, `${floor} is no time floor`);
});

test('the bundled normctl answers, and lists its verbs', () => {
  const result = spawnSync(process.execPath, [join(bundle, 'normctl.mjs'), '--help'], {
    encoding: 'utf8',
    cwd: '/',
  });
  assert.equal(result.status, 0, result.stderr);
  for (const verb of ['config', 'decode', 'status']) assert.match(result.stdout, new RegExp(verb));
});

test('beside the bundle stand the licences of what is in it', () => {
  const notices = readFileSync(join(bundle, 'NOTICES'), 'utf8');
  for (const name of ['@serialport/bindings-cpp', 'better-sqlite3', 'commander', 'mqtt', 'yaml']) {
    const { version, license } = manifestOf(name);
    assert.ok(notices.includes(`\n${name} ${version} (${license})\n`), name);
    assert.ok(notices.includes(licenceOf(name)), name);
  }
  const own = join(import.meta.dirname, '../../LICENSE');
  assert.equal(readFileSync(join(bundle, 'LICENSE'), 'utf8'), readFileSync(own, 'utf8'));
});

test('a package without a permissive licence, or without its text, is not bundled', () => {
  const folder = mkdtempSync(join(tmpdir(), 'normd-licence-'));
  const claim = (license: string): void =>
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'x', version: '1', license }),
    );
  try {
    claim('MIT');
    assert.throws(() => noticesOf([folder]));
    writeFileSync(join(folder, 'LICENSE.md'), 'Permission is hereby granted');
    assert.match(noticesOf([folder, folder]), /^x 1 \(MIT\)\n\nPermission is hereby granted\n$/m);
    claim('GPL-3.0-only');
    assert.throws(() => noticesOf([folder]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
