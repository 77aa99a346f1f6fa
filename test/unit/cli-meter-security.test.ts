import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { toHex } from '#bytes/hex.ts';
import { securityOf } from '#cli/meter/security.ts';
import { envelope, runNormctl } from '../support/command-line.ts';
import type { SecuredMeter } from '../support/secured-meter.ts';
import { KEYS, OUR_CLIENT, securedMeter } from '../support/secured-meter.ts';

const GMAC = {
  mechanism: 'high-gmac',
  ciphering: { level: 'authenticated-and-encrypted' },
} as const;
const RING = {
  'house-3': {
    encryption: toHex(KEYS.encryption),
    authentication: toHex(KEYS.authentication),
  },
  'house-4': { encryption: '99'.repeat(16), authentication: toHex(KEYS.authentication) },
};

/** Words that reach a ciphered meter, with a keyring and counters in a folder of their own. */
function reached(context: TestContext, { port }: SecuredMeter) {
  const folder = mkdtempSync(join(tmpdir(), 'normctl-security-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const keyring = join(folder, 'keys.yaml');
  writeFileSync(keyring, JSON.stringify(RING), { mode: 0o600 });
  const at = ['--tcp', `127.0.0.1:${port}`, '--client', String(OUR_CLIENT)];
  const counters = join(folder, 'counters');
  const ring = ['--keyring', keyring, '--counters', counters];
  return { folder, at: [...at, ...ring, '--mechanism', 'high-gmac', '--ciphering', 'glo'] };
}

test('a ciphered meter is read with keys of the keyring by its name', async (context) => {
  const meter = await securedMeter(context, { association: GMAC, counter: { last: 100 } });
  const { at, folder } = reached(context, meter);
  const trace = join(folder, 'trace.jsonl');
  const words = ['meter', 'read', '1-0:1.8.0', ...at, '--meter', 'house-3'];
  const read = await runNormctl([...words, '--authentication', 'require', '--trace', trace]);
  assert.equal(read.status, 0, read.err);
  assert.match(read.out, /^1-0:1\.8\.0\*255 {2}\d+ Wh\n$/);
  assert.deepEqual(meter.callers, [16, 1], 'the public client read the counter first');
  const lines = readFileSync(trace, 'utf8').split('\n');
  assert.equal(lines.filter((line) => line.includes('startedAt')).length, 1);
  assert.equal(lines.filter((line) => line.includes('"up"')).length, 2);
  const never = await runNormctl([...words, '--authentication', 'never', '--json']);
  const { quality } = envelope(never.out).data as { quality?: unknown };
  assert.deepEqual(quality, ['unverified']);
  assert.deepEqual(meter.callers, [16, 1, 1], 'then it was known');
});

test('what is wrong with the keys is told, and shows none', async (context) => {
  const meter = await securedMeter(context, { association: GMAC });
  const { at } = reached(context, meter);
  const words = ['meter', 'read', '1-0:1.8.0', ...at];
  for (const [name, status, code] of [
    ['house-4', 1, 'wrong-key'],
    ['house-5', 1, 'key-missing'],
  ] as const) {
    const read = await runNormctl([...words, '--meter', name]);
    assert.equal(read.status, status, read.err);
    assert.match(read.err, new RegExp(`^error ${code}: `));
    assert.match(read.err, /\n {2}try: /);
    for (const keys of Object.values(RING)) {
      assert.ok(!read.err.includes(keys.encryption) && !read.err.includes(keys.authentication));
    }
  }
  const nameless = await runNormctl(words);
  assert.equal(nameless.status, 2);
});

test('a system title goes with one file of counters, unless one is given', () => {
  const titleOf = (options: Readonly<Record<string, string>>): string => {
    const all = { counter: '0-0:43.1.0', counterClient: '16', ...options };
    return toHex(securityOf(all).clientTitle);
  };
  const here = titleOf({ counters: '/tmp/one' });
  assert.equal(titleOf({ counters: '/tmp/../tmp/one' }), here);
  assert.notEqual(titleOf({ counters: '/tmp/two' }), here);
  assert.notEqual(titleOf({}), here);
  const title = '4e524d0000000001';
  assert.equal(titleOf({ counters: '/tmp/one', title }), title);
});
