import assert from 'node:assert/strict';
import { chmodSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { parseConfiguration } from '#config/load.ts';
import { keyringMark, readKeyring } from '#identity/keyring.ts';
import { secretPath } from '#system/service-credentials.ts';
import { runNormctl } from '../support/command-line.ts';
import { temporaryFolder } from '../support/outbox.ts';

const KEY = '00112233445566778899aabbccddeeff';
const RING = `house-3: { encryption: '${KEY}', authentication: '${KEY}' }\n`;

/** As systemd gives them: read by an ACL where the service is not root, which shows as 0440. */
function credentialsOf(context: TestContext, files: Readonly<Record<string, number>>): string {
  const folder = temporaryFolder(context);
  for (const [name, mode] of Object.entries(files)) {
    writeFileSync(join(folder, name), RING);
    chmodSync(join(folder, name), mode);
  }
  process.env['CREDENTIALS_DIRECTORY'] = folder;
  context.after(() => delete process.env['CREDENTIALS_DIRECTORY']);
  return folder;
}

function loaded(context: TestContext, keyring: string) {
  const source = {
    name: 'house-3',
    protocol: 'dlms',
    link: { kind: 'tcp', host: '127.0.0.1', port: 4059 },
    mechanism: 'high-gmac',
    ciphering: {},
    read: { kind: 'registers', objects: ['1-0:1.8.0'] },
  };
  const text = JSON.stringify({ gateway: 'g', keyring, sources: [source] });
  return parseConfiguration(text, join(temporaryFolder(context), 'normd.yaml'));
}

test('a keyring is taken from the credentials of the service', (context) => {
  const folder = credentialsOf(context, { meters: 0o440, mine: 0o400 });
  for (const name of ['meters', 'mine']) {
    const taken = loaded(context, `credential:${name}`);
    assert.ok('configuration' in taken, JSON.stringify(taken));
    const path = join(folder, name);
    assert.equal(taken.configuration.keyring, path);
    assert.equal(readKeyring(path).named('house-3')?.has('encryption'), true);
  }
});

test('a credential that is not there is told with what to write into the unit', (context) => {
  credentialsOf(context, { open: 0o444, writable: 0o460 });
  for (const [keyring, code, hint] of [
    ['credential:other', 'missing-file', /LoadCredential=other:/],
    ['credential:open', 'file-too-open', /chmod/],
    ['credential:writable', 'file-too-open', /chmod/],
    ['credential:../keys', 'missing-file', /credential:NAME/],
    ['credential:..', 'missing-file', /credential:NAME/],
  ] as const) {
    const refused = loaded(context, keyring);
    assert.ok('problems' in refused, keyring);
    const [problem] = refused.problems;
    assert.equal(problem.code, code, keyring);
    assert.equal(problem.path, 'keyring');
    assert.match(problem.hint, hint);
    assert.ok(!JSON.stringify(refused).includes(KEY));
  }
});

test('without a service manager there are no credentials', (context) => {
  assert.throws(
    () => secretPath('credential:meters'),
    (error) => /LoadCredentialEncrypted=meters:/.test(failureOf(error).hint ?? ''),
  );
  assert.equal(secretPath('meters'), 'meters');
  const refused = loaded(context, 'credential:meters');
  assert.ok('problems' in refused);
  assert.equal(refused.problems[0].code, 'missing-file');
});

test('a restart makes credentials anew, and only other keys are a change', (context) => {
  const folder = credentialsOf(context, { meters: 0o600 });
  const path = join(folder, 'meters');
  const before = keyringMark(path);
  utimesSync(path, 1, 1);
  assert.equal(keyringMark(path), before);
  writeFileSync(path, RING.replaceAll('00', '01'));
  assert.notEqual(keyringMark(path), before);
  delete process.env['CREDENTIALS_DIRECTORY'];
  const file = keyringMark(path);
  utimesSync(path, 2, 2);
  assert.notEqual(keyringMark(path), file, 'of a file, its time tells');
});

test('normctl takes a keyring from the credentials, and does not change it', async (context) => {
  const folder = credentialsOf(context, { meters: 0o440 });
  const ring = ['--keyring', 'credential:meters', '--meter'];
  const at = ['--tcp', '127.0.0.1:1'];
  const env = { CREDENTIALS_DIRECTORY: folder };
  const read = await runNormctl(['meter', 'read', 'clock', 'time', ...at, ...ring, 'house-9'], {
    env,
  });
  assert.match(read.err, /^error key-missing: [^]*house-3/, 'it has read the names');
  const keys = await runNormctl(['meter', 'keys', ...at, ...ring, 'house-3'], { env });
  assert.equal(keys.status, 2, keys.err);
  const alone = await runNormctl(['meter', 'read', 'clock', 'time', ...at, ...ring, 'house-3']);
  assert.match(alone.err, /^error missing-file: [^]*LoadCredential/);
});
