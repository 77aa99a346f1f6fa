import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { parseConfiguration } from '#config/load.ts';
import { openDevices } from '#gateway/devices.ts';
import { keyringFrom, readKeyring } from '#identity/keyring.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { securityControlFrom } from '#protocol/dlms/security.ts';
import type { Observation } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { machineEntropy } from '#system/entropy.ts';

const KEY = '00112233445566778899aabbccddeeff';
const RING = `
house-3:
  system-title: 4d4d4d0000bc614e
  encryption: "${KEY}"
  authentication: D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF
  password: "geheim 47"
works:
  suite: 1
  signing: 418073C239FA6125011DE4D6CD2E645780289F761BB21BFB0835CB5585E8B373
  master: "${KEY}"
  secret: "4775727578"
`;

function fileWith(context: TestContext, text: string, mode = 0o600): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-keyring-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys.yaml');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('a keyring gives the keys of a meter by its name and by its system title', (context) => {
  const ring = readKeyring(fileWith(context, RING));
  assert.deepEqual(ring.names(), ['house-3', 'works']);
  const house = ring.named('house-3');
  assert.equal(ring.ofTitle(fromHex('4D4D4D0000BC614E')), house);
  assert.deepEqual(house?.cipherKeys().encryption, fromHex(KEY));
  assert.deepEqual(house.secret(), new TextEncoder().encode('geheim 47'));
  const works = ring.named('works');
  assert.deepEqual(works?.master(), fromHex(KEY));
  assert.equal(works.agreementKeys().signing?.publicKey.length, 64);
  assert.equal(ring.named('nobody'), undefined);
});

test('a keyring that others may read is refused, with what to do', (context) => {
  const path = fileWith(context, RING, 0o640);
  assert.throws(
    () => readKeyring(path),
    (error) => {
      const { code, hint } = failureOf(error);
      return code === 'file-too-open' && hint === `Run: chmod 0600 ${path}`;
    },
  );
});

test('nothing that shows a keyring or its keys shows a secret', (context) => {
  const ring = readKeyring(fileWith(context, RING));
  const shown = [ring, ring.named('house-3'), ring.named('works')].flatMap((one) => [
    JSON.stringify(one),
    inspect(one, { depth: 9, showHidden: true }),
    Object.values(one ?? {}).join(),
  ]);
  for (const text of shown) {
    for (const secret of SECRETS) assert.ok(!text.toLowerCase().includes(secret), text);
  }
});

const SECRETS = [KEY, '11, 34', '<buffer', 'geheim', 'd0d1', '208, 209', '418073c2', '4775727578'];

test('a mistake in a keyring is told by its place, and no error shows content', (context) => {
  const faults = [
    'house-3:\n  encryption: "001122"\n',
    `house-3:\n  encryption: "${KEY}zz"\n`,
    `house-3:\n  encyption: "${KEY}"\n`,
    `house-3:\n  suite: 7\n  encryption: "${KEY}"\n`,
    `house-3:\n  suite: 2\n  encryption: "${KEY}"\n`,
    `house-3:\n  encryption: [ "${KEY}"\n`,
    `house-3: &a\n  encryption: "${KEY}"\nother: *a\n`,
    `- "${KEY}"\n`,
    `house-3: "${KEY}"\n`,
    'house-3:\n  encryption: 112233445566778899001122334455667788\n',
    `house-3:\n  password: "${'geheim'.repeat(20)}"\n`,
    `? { encryption: "${KEY}" }\n: { suite: 0 }\n`,
    `? [ "${KEY}" ]\n: { suite: 0 }\n`,
    `house-3:\n  ? { encryption: "${KEY}" }\n  : { suite: 0 }\n`,
    `house-3: ${'['.repeat(20_000)}`,
    '',
  ];
  // What the parser of YAML warns of goes to the standard error output.
  const warned = context.mock.method(process, 'emitWarning', () => undefined);
  for (const text of faults) {
    const path = fileWith(context, text);
    assert.throws(
      () => readKeyring(path),
      (error) => {
        const { code } = failureOf(error);
        const told = `${inspect(error, { depth: 9 })} ${JSON.stringify(failureOf(error))}`;
        const bare = told.replaceAll(path, '').toLowerCase();
        return code === 'bad-keyring' && !SECRETS.some((secret) => bare.includes(secret));
      },
      text.slice(0, 100),
    );
  }
  assert.equal(warned.mock.callCount(), 0);
});

test('a private number that is none of its curve is a bad key', () => {
  const ring = keyringFrom(`works:\n  suite: 1\n  signing: "${'00'.repeat(32)}"\n`);
  assert.throws(
    () => ring.named('works')?.agreementKeys(),
    (error) => failureOf(error).code === 'bad-key',
  );
});

test('a configured meter without key files has its keys in the keyring', async (context) => {
  const folder = dirname(fileWith(context, RING));
  const sealed = sealGeneralCiphering(NOTIFICATION, {
    systemTitle: fromHex('4d4d4d0000bc614e'),
    securityControl: securityControlFrom(0x30),
    invocationCounter: 1,
    keys: keyringFrom(RING).named('house-3')?.cipherKeys() ?? {},
    cipher: machineAesGcm,
  });
  writeFileSync(join(folder, 'push.json'), JSON.stringify({ hex: toHex(sealed) }));
  const link = { kind: 'replay', file: join(folder, 'push.json'), pace: 'fast' };
  const source = { name: 'house-3', protocol: 'dlms-push', framing: 'raw', link };
  const sources = [{ ...source, authentication: 'require' }];
  const text = JSON.stringify({ gateway: 'g', keyring: 'keys.yaml', sources });
  const loaded = parseConfiguration(text, join(folder, 'normd.yaml'));
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  const { promise, resolve, reject } = Promise.withResolvers<Observation>();
  const ports = {
    clock: new VirtualClock(),
    entropy: machineEntropy,
    log: (_level: string, event: string) =>
      event === 'device.ended' && reject(new Error('nothing came')),
  };
  const devices = openDevices(loaded.configuration, { take: resolve }, ports);
  const { quality, readings } = await promise;
  await Promise.all(devices.map((device) => device.stop()));
  assert.ok(!quality.includes('unverified'));
  assert.equal(readings.length, 1);
  chmodSync(join(folder, 'keys.yaml'), 0o644);
  const refused = parseConfiguration(text, join(folder, 'normd.yaml'));
  assert.ok('problems' in refused);
  assert.deepEqual(
    refused.problems.map(({ code, path }) => [code, path]),
    [
      ['file-too-open', 'keyring'],
      ['missing-key', 'sources[0].keys'],
    ],
  );
});

const NOTIFICATION = encodeDataNotification({
  longInvokeIdAndPriority: 1,
  body: {
    type: 'structure',
    value: [
      { type: 'octet-string', value: Uint8Array.of(1, 0, 1, 8, 0, 255) },
      { type: 'double-long-unsigned', value: 4711 },
    ],
  },
});
