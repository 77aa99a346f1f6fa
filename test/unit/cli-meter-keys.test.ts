import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { fromHex, toHex } from '#bytes/hex.ts';
import { openLink } from '#link/open.ts';
import { USUAL_KEYS, meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { machineClock as clock } from '#system/clock.ts';
import { runNormctl } from '../support/command-line.ts';
import { PORTS } from '../support/simulated-meter.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-keys-'));
after(() => rmSync(folder, { recursive: true }));
const keyring = join(folder, 'keys.yaml');

const { encryption, authentication, master } = USUAL_KEYS;
const HOUSE = `encryption: '${encryption}', authentication: '${authentication}'`;
const NEXT = '5a'.repeat(16);

type Entries = Readonly<Record<string, Readonly<Record<string, string>>>>;

function entries(): Entries {
  return parse(readFileSync(keyring, 'utf8')) as Entries;
}

type Ask = (...words: string[]) => ReturnType<typeof runNormctl>;

async function withMeter(use: (ask: Ask, meter: SimulatedMeter) => Promise<void>): Promise<void> {
  const meter = new SimulatedMeter({ clock, description: meterDescriptionFrom('') });
  const link = openLink({ kind: 'tcp-listen', port: 0 }, PORTS);
  const port = await serve({ link, connect: () => meter.connection('wrapper'), clock });
  const at = ['--tcp', `127.0.0.1:${port}`, '--client', '1', '--keyring', keyring];
  const how = ['--meter', 'house', '--mechanism', 'high-gmac', '--ciphering', 'glo'];
  const counters = ['--counters', join(folder, 'counters'), '--authentication', 'require'];
  try {
    await use((...words) => runNormctl(['meter', ...words, ...at, ...how, ...counters]), meter);
  } finally {
    await link.close();
  }
}

test('a new key is tried before it replaces the old one, and is never shown', async () => {
  await withMeter(async (ask, meter) => {
    writeFileSync(keyring, `# of our street\nhouse: { ${HOUSE} }\n`, { mode: 0o600 });
    const masterless = await ask('keys', '--yes');
    assert.match(masterless.err, /^error key-missing: /);
    writeFileSync(keyring, `# of our street\nhouse: { ${HOUSE}, master: '${master}' }\n`);
    const unasked = await ask('keys');
    assert.match(unasked.err, /^error confirmation-needed: /);
    assert.deepEqual(Object.keys(entries()), ['house']);

    const changed = await ask('keys', '--yes');
    assert.equal(changed.status, 0, changed.err);
    const { house, 'house.before': before, 'house.next': next } = entries();
    assert.equal(before?.['encryption'], encryption);
    assert.equal(next, undefined);
    const key = house?.['encryption'] ?? '';
    assert.notEqual(key, encryption);
    const inForce = meter.associations.find(({ client }) => client === 1)?.keys.encryption;
    assert.equal(toHex(inForce ?? new Uint8Array(0)), key);
    assert.ok(!`${changed.out}${changed.err}`.toLowerCase().includes(key));
    assert.equal(statSync(keyring).mode & 0o777, 0o600);
    assert.match(readFileSync(keyring, 'utf8'), /^# of our street/);
    assert.equal((await ask('read', '1/0-0:42.0.0/2')).status, 0);
  });
});

for (const taken of [true, false]) {
  const had = taken ? 'had taken' : 'had not got';
  test(`after a cut it is found out that the meter ${had} the new key`, async () => {
    await withMeter(async (ask, meter) => {
      const whole = `house: { ${HOUSE}, master: '${master}' }\n`;
      const next = `house.next: { ${HOUSE.replace(encryption, NEXT)}, master: '${master}' }\n`;
      writeFileSync(keyring, whole + next, { mode: 0o600 });
      const association = meter.associations.find(({ client }) => client === 1);
      if (taken) association?.changeKey('encryption', fromHex(NEXT));
      const again = await ask('keys', '--yes');
      assert.equal(again.status, 0, again.err);
      assert.match(again.out, taken ? /settled/ : /changed/);
      assert.equal(toHex(association?.keys.encryption ?? new Uint8Array(0)), NEXT);
      assert.equal(entries()['house']?.['encryption'], NEXT);
      assert.deepEqual(Object.keys(entries()).sort(), ['house', 'house.before']);
    });
  });
}

test('after a cut a key that the association does not use is transferred again', async () => {
  await withMeter(async (ask, meter) => {
    const whole = `house: { ${HOUSE}, master: '${master}' }\n`;
    const next = `house.next: { ${HOUSE}, broadcast: '${NEXT}', master: '${master}' }\n`;
    writeFileSync(keyring, whole + next, { mode: 0o600 });
    const other = await ask('keys', '--yes', '--key', 'authentication');
    assert.match(other.err, /^error usage: .*--key broadcast/);
    assert.equal(entries()['house.next']?.['broadcast'], NEXT);

    const again = await ask('keys', '--yes', '--key', 'broadcast');
    assert.match(again.out, /changed/, again.err);
    const association = meter.associations.find(({ client }) => client === 1);
    assert.equal(toHex(association?.keys.broadcast ?? new Uint8Array(0)), NEXT);
    assert.equal(entries()['house']?.['broadcast'], NEXT);
  });
});
