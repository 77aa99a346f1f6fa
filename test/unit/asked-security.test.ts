import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { toHex } from '#bytes/hex.ts';
import { parseConfiguration } from '#config/load.ts';
import type { Configuration } from '#config/schema.ts';
import { holdCounters, openAskedMeters } from '#gateway/asked-meters.ts';
import type { Observation } from '#reading/reading.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { KEYS, OUR_CLIENT, securedMeter } from '../support/secured-meter.ts';

const ENCRYPTION = toHex(KEYS.encryption);
const AUTHENTICATION = toHex(KEYS.authentication);
const WHOLE = { encryption: ENCRYPTION, authentication: AUTHENTICATION };

interface Asked {
  readonly port?: number;
  readonly ring?: Readonly<Record<string, string>>;
  readonly security: Readonly<Record<string, unknown>>;
}

function configured(context: TestContext, { port = 4059, ring, security }: Asked) {
  const folder = mkdtempSync(join(tmpdir(), 'normd-asked-'));
  context.after(() => rmSync(folder, { recursive: true }));
  if (ring !== undefined) {
    writeFileSync(join(folder, 'keys.yaml'), JSON.stringify({ meter: ring }), { mode: 0o600 });
  }
  const source = {
    name: 'meter',
    protocol: 'dlms',
    link: { kind: 'tcp', host: '127.0.0.1', port },
    client: OUR_CLIENT,
    read: { kind: 'registers', objects: ['1-0:1.8.0'] },
    ...security,
  };
  const keyring = ring === undefined ? {} : { keyring: 'keys.yaml' };
  const file = { gateway: 'g', state: join(folder, 'state'), ...keyring, sources: [source] };
  return parseConfiguration(JSON.stringify(file), join(folder, 'normd.yaml'));
}

async function firstOf(configuration: Configuration): Promise<Observation> {
  const { promise, resolve, reject } = Promise.withResolvers<Observation>();
  const path = {
    keepAll: (_source: string, [observation]: readonly Observation[]) => {
      if (observation !== undefined) resolve(observation);
      return Promise.resolve();
    },
    newest: () => Promise.resolve([]),
  };
  const ports = {
    clock: machineClock,
    entropy: machineEntropy,
    log: (_level: string, event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      reject(new Error(`${event} ${String(fields['code'])}`)),
  };
  const held = await holdCounters(configuration);
  const devices = openAskedMeters(configuration, path, ports, held?.ledger);
  try {
    return await promise;
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
    await held?.release();
  }
}

const CIPHERED = { level: 'authenticated-and-encrypted' } as const;

for (const [authentication, quality] of [
  ['require', []],
  ['if-key', []],
  ['never', ['unverified']],
] as const) {
  test(`a ciphered meter is read, and marked as "${authentication}" wants`, async (context) => {
    const association = { mechanism: 'high-gmac', ciphering: CIPHERED } as const;
    const { port } = await securedMeter(context, { association });
    const security = { mechanism: 'high-gmac', ciphering: {}, authentication };
    const loaded = configured(context, { port, ring: WHOLE, security });
    assert.ok('configuration' in loaded, JSON.stringify(loaded));
    const observation = await firstOf(loaded.configuration);
    assert.deepEqual(observation.quality, quality);
    assert.ok(observation.readings.some(({ object }) => object === '1-0:1.8.0*255'));
  });
}

for (const [what, security, ring, problems] of [
  ['a password', { mechanism: 'low' }, WHOLE, ['missing-key sources[0].mechanism']],
  ['a secret', { mechanism: 'high-sha256' }, WHOLE, ['missing-key sources[0].mechanism']],
  ['the keys', { ciphering: {} }, undefined, ['missing-key sources[0].ciphering']],
  [
    'the authentication key',
    { ciphering: { level: 'encrypted' }, authentication: 'require' },
    { encryption: ENCRYPTION },
    ['missing-key sources[0].ciphering'],
  ],
  [
    'ciphering',
    { mechanism: 'high-gmac', authentication: 'require' },
    WHOLE,
    ['not-allowed sources[0].authentication'],
  ],
] as const) {
  test(`an association without ${what} is a mistake of the configuration`, (context) => {
    const loaded = configured(context, { security, ...(ring === undefined ? {} : { ring }) });
    assert.ok('problems' in loaded);
    const found = loaded.problems.map(({ code, path }) => `${code} ${path}`);
    assert.ok(
      problems.every((problem) => found.includes(problem)),
      found.join(),
    );
    const shown = JSON.stringify(loaded.problems);
    assert.ok(!shown.includes(ENCRYPTION) && !shown.includes(AUTHENTICATION));
  });
}
