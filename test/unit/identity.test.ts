import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { credentialsReader, loadCredentials, type CredentialFiles } from '#identity/credentials.ts';
import { createDevelopmentCa } from '#identity/development-ca.ts';
import { writeDurably } from '#system/durable-file.ts';
import { temporaryFolder } from '../support/outbox.ts';

const NOW = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;

/** Self-signed, public part only, on brainpoolP256r1. */
const BRAINPOOL_ANCHOR = `-----BEGIN CERTIFICATE-----
MIIBcDCCARagAwIBAgIUKqUE2dX1Cj3fAzTujflhopk5nXwwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCYnAwHhcNMjYxMTIxMDQxMjM3WhcNMzUwMjA3MDQxMjM3WjAN
MQswCQYDVQQDDAJicDBaMBQGByqGSM49AgEGCSskAwMCCAEBBwNCAAQlNdroaHzw
Fmc6SeSxZxMcbudMa6b5YaHXcaOZ7QzUbWxGMjiTZAr7Vdu3skE0kaZdmo9JFwHw
zrxWv89gwomdo1MwUTAdBgNVHQ4EFgQUKHAOwzoMIEM5rVK7ETcTmm2cdNEwHwYD
VR0jBBgwFoAUKHAOwzoMIEM5rVK7ETcTmm2cdNEwDwYDVR0TAQH/BAUwAwEB/zAK
BggqhkjOPQQDAgNIADBFAiBDw0YhyoYD0OQEaMC2BpmODpADnoNp4puzPF7pC4e2
6QIhAKVAGUqs8O+YwQ2ufHhDWVhZmmMYeQTwnZvBCu/Czgk5
-----END CERTIFICATE-----
`;

function refusal(files: CredentialFiles, nowMs = NOW): unknown {
  return failureIn(() => loadCredentials(files, nowMs));
}

function failureIn(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof OperatingError, String(error));
    assert.ok(error.hint !== undefined, 'a technician is told what to do');
    return [error.code, error.path];
  }
  return 'none';
}

test('a device certificate names its gateway and may only be a client', async (context) => {
  const ca = await createDevelopmentCa(temporaryFolder(context), NOW);
  const files = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const credentials = loadCredentials(files, NOW);
  assert.equal(credentials.commonName, 'gw-1');
  assert.equal(credentials.notAfterMs, NOW + 365 * DAY_MS);
  const device = new X509Certificate(readFileSync(files.certificate));
  const anchor = new X509Certificate(readFileSync(ca.anchor));
  assert.ok(device.verify(anchor.publicKey) && device.checkIssued(anchor));
  assert.deepEqual([device.ca, anchor.ca], [false, true]);
  assert.deepEqual(device.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth');
  assert.equal(device.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
});

test('a renewed certificate counts from the next look on', async (context) => {
  const folder = temporaryFolder(context);
  const ca = await createDevelopmentCa(join(folder, 'old'), NOW);
  const later = await createDevelopmentCa(join(folder, 'new'), NOW + 300 * DAY_MS);
  const files = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const read = credentialsReader(files);
  assert.equal(read(NOW).notAfterMs, NOW + 365 * DAY_MS);
  assert.equal(read(NOW + 364 * DAY_MS), read(NOW), 'not taken apart again');
  const expired = failureIn(() => read(NOW + 366 * DAY_MS));
  assert.deepEqual(expired, ['certificate-expired', files.certificate]);
  const renewed = await later.device('gw-1');
  writeFileSync(files.key, readFileSync(renewed.key));
  assert.deepEqual(
    failureIn(() => read(NOW)),
    ['key-mismatch', files.key],
  );
  writeFileSync(files.certificate, readFileSync(renewed.certificate));
  assert.equal(read(NOW + 366 * DAY_MS).notAfterMs, NOW + 665 * DAY_MS);
  chmodSync(files.key, 0o644);
  assert.notEqual(
    failureIn(() => read(NOW + 366 * DAY_MS)),
    'none',
    'anyone can read the key',
  );
});

test('a broker certificate holds every name that clients connect to', async (context) => {
  const ca = await createDevelopmentCa(temporaryFolder(context), NOW);
  const broker = new X509Certificate(readFileSync((await ca.broker()).certificate));
  assert.deepEqual(broker.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'serverAuth');
  assert.equal(broker.checkHost('localhost'), 'localhost');
  assert.equal(broker.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(broker.checkIP('::1'), '::1');
  assert.equal(broker.checkHost('example.org'), undefined);
});

test('only owners may read private keys; the signing key is not written', async (context) => {
  const folder = temporaryFolder(context);
  const ca = await createDevelopmentCa(folder, NOW);
  const { key } = await ca.device('gw-1');
  assert.equal(statSync(key).mode & 0o777, 0o600);
  const keys = readdirSync(folder).filter((name) =>
    readFileSync(join(folder, name), 'utf8').includes('PRIVATE KEY'),
  );
  assert.deepEqual(keys, ['device-gw-1.key']);
});

test('credentials that cannot work are refused with the file to look at', async (context) => {
  const folder = temporaryFolder(context);
  const ca = await createDevelopmentCa(folder, NOW);
  const own = await ca.device('gw-1');
  const other = await ca.device('gw-2');
  const files = { ...own, anchors: [ca.anchor] };
  const [absent, garbage, brainpool] = ['absent', 'garbage', 'brainpool'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(garbage, 'no PEM at all', { mode: 0o600 });
  writeFileSync(brainpool, BRAINPOOL_ANCHOR);

  assert.deepEqual(refusal({ ...files, key: absent }), ['missing-file', absent]);
  assert.deepEqual(refusal({ ...files, certificate: folder }), ['unreadable-file', folder]);
  assert.deepEqual(refusal({ ...files, key: garbage }), ['key-unreadable', garbage]);
  assert.deepEqual(refusal({ ...files, key: other.key }), ['key-mismatch', other.key]);
  const unreadable = refusal({ ...files, certificate: garbage });
  assert.deepEqual(unreadable, ['certificate-unreadable', garbage]);
  const anchored = refusal({ ...files, anchors: [ca.anchor, brainpool] });
  assert.deepEqual(anchored, ['anchor-brainpool-refused', brainpool]);
});

test('a certificate is good neither before nor after its time', async (context) => {
  const ca = await createDevelopmentCa(temporaryFolder(context), NOW);
  const files = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const { certificate } = files;
  const in1970 = refusal(files, 0);
  assert.deepEqual(in1970, ['certificate-not-yet-valid', certificate]);
  const late = refusal(files, NOW + 366 * DAY_MS);
  assert.deepEqual(late, ['certificate-expired', certificate]);
});

test('a private key is for its owner alone, as the configuration demands', async (context) => {
  const ca = await createDevelopmentCa(temporaryFolder(context), NOW);
  const files = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  for (const mode of [0o644, 0o640, 0o610, 0o604]) {
    chmodSync(files.key, mode);
    assert.deepEqual(refusal(files), ['file-too-open', files.key], mode.toString(8));
  }
  for (const mode of [0o400, 0o600]) {
    chmodSync(files.key, mode);
    assert.equal(loadCredentials(files, NOW).commonName, 'gw-1', mode.toString(8));
  }
});

test('a FIFO, a device or an endless file holds no uplink up', async (context) => {
  const folder = temporaryFolder(context);
  const ca = await createDevelopmentCa(folder, NOW);
  const files = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const [fifo, sparse] = [join(folder, 'fifo'), join(folder, 'sparse')];
  execFileSync('mkfifo', ['-m', '600', fifo]);
  writeFileSync(sparse, '', { mode: 0o600 });
  truncateSync(sparse, 2 ** 40); // a terabyte by its length, nothing on the disk
  for (const [path, code] of [
    [fifo, 'unreadable-file'],
    ['/dev/null', 'unreadable-file'],
    [sparse, 'file-too-long'],
  ] as const) {
    assert.deepEqual(refusal({ ...files, key: path }), [code, path]);
    assert.deepEqual(refusal({ ...files, certificate: path }), [code, path]);
    assert.deepEqual(refusal({ ...files, anchors: [path] }), [code, path]);
  }
});

test('a durable file replaces the old one whole and leaves nothing beside it', async (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, 'state');
  await writeDurably(path, 'old', 0o644);
  await writeDurably(path, Uint8Array.of(1, 2, 3), 0o600);
  assert.deepEqual(Uint8Array.from(readFileSync(path)), Uint8Array.of(1, 2, 3));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['state']);
  await assert.rejects(writeDurably(join(folder, 'absent', 'state'), '', 0o600), {
    code: 'ENOENT',
  });
});
