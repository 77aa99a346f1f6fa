import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { parse } from 'yaml';
import { parseConfiguration } from '#config/load.ts';
import { holdCounters, openAskedMeters } from '#gateway/asked-meters.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import { SERVICE_FORMS } from '#identity/association-keys.ts';
import { openLink } from '#link/open.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { Observation } from '#reading/reading.ts';
import { around } from '#sim/cosem/around.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { machineClock as clock } from '#system/clock.ts';
import { envelope, runNormctl } from '../support/command-line.ts';
import { PORTS, keyringOf } from '../support/simulated-meter.ts';

const USUAL = meterDescriptionFrom('');
/** Of clients 3 and 4: which counter is theirs, and what they prove themselves by. */
const CLIENTS = {
  3: { object: '0-0:43.1.1', mechanism: 'high-gmac' },
  4: { object: '0-0:43.1.2', mechanism: 'high-ecdsa' },
} as const;

/** The tag of an APDU stands behind the wrapper's head. */
const HEAD_BYTES = 8;

interface Meter {
  readonly port: number;
  /** First tags of what went over the line, both ways. */
  readonly tags: number[];
}

async function meterFor(context: TestContext): Promise<Meter> {
  const meter = new SimulatedMeter({ clock, description: USUAL });
  const tags: number[] = [];
  const note = (bytes: Uint8Array, on: (bytes: Uint8Array) => void): void => {
    tags.push(bytes[HEAD_BYTES] ?? 0);
    on(bytes);
  };
  const tcp = openLink({ kind: 'tcp-listen', port: 0 }, PORTS);
  const link = around(tcp, () => ({ send: note, receive: note }));
  context.after(() => link.close());
  const port = (await serve({ link, connect: () => meter.connection('wrapper'), clock })) ?? 0;
  return { port, tags };
}

interface Asked {
  readonly port: number;
  readonly client: keyof typeof CLIENTS;
  readonly ciphering: Partial<AssociationSettings['ciphering']>;
  readonly ring?: Readonly<Record<string, unknown>>;
}

/** A configuration that asks the meter, with a keyring in a folder of its own. */
function configured(context: TestContext, { port, client, ciphering, ring }: Asked) {
  const folder = mkdtempSync(join(tmpdir(), 'normd-general-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const keys = ring ?? keyringOf(client === 4 ? 2 : 1);
  writeFileSync(join(folder, 'keys.yaml'), JSON.stringify({ meter: keys }), { mode: 0o600 });
  const { object, mechanism } = CLIENTS[client];
  const source = {
    name: 'meter',
    protocol: 'dlms',
    link: { kind: 'tcp', host: '127.0.0.1', port },
    client,
    mechanism,
    ciphering,
    authentication: 'require',
    counter: { object },
    read: { kind: 'registers', objects: ['1-0:1.8.0'] },
  };
  const file = { gateway: 'g', state: join(folder, 'state'), keyring: 'keys.yaml' };
  const text = JSON.stringify({ ...file, sources: [source] });
  return parseConfiguration(text, join(folder, 'normd.yaml'));
}

/** What the source brings first, or the code of what keeps it from it. */
async function firstOf(loaded: ReturnType<typeof configured>): Promise<Observation | string> {
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  const { configuration } = loaded;
  const { promise, resolve } = Promise.withResolvers<Observation | string>();
  const path = {
    keepAll: (_source: string, [observation]: readonly Observation[]) => {
      if (observation !== undefined) resolve(observation);
      return Promise.resolve();
    },
    newest: () => Promise.resolve([]),
  };
  const log = (_level: string, _event: string, fields: Readonly<Record<string, unknown>> = {}) =>
    resolve(String(fields['code']));
  const held = await holdCounters(configuration);
  const devices = openAskedMeters(configuration, path, { ...PORTS, log }, held?.ledger);
  try {
    return await promise;
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
    await held?.release();
  }
}

const GENERAL = APDU_TAG.generalCiphering;
const TAGS: Readonly<Record<(typeof SERVICE_FORMS)[number], readonly [number, number]>> = {
  glo: [APDU_TAG.gloGetRequest, APDU_TAG.gloGetResponse],
  ded: [APDU_TAG.dedGetRequest, APDU_TAG.dedGetResponse],
  'general-glo': [APDU_TAG.generalGloCiphering, APDU_TAG.generalGloCiphering],
  'general-ded': [APDU_TAG.generalDedCiphering, APDU_TAG.generalDedCiphering],
  'identified-key': [GENERAL, GENERAL],
  'wrapped-key': [GENERAL, GENERAL],
  'one-pass': [GENERAL, GENERAL],
  'static-unified': [GENERAL, GENERAL],
};

for (const client of [3, 4] as const) {
  for (const signed of [false, true]) {
    test(`client ${client} reads in every form${signed ? ', signed' : ''}`, async (context) => {
      const { port, tags } = await meterFor(context);
      for (const services of SERVICE_FORMS) {
        tags.length = 0;
        const ciphering = { services, signed };
        const first = await firstOf(configured(context, { port, client, ciphering }));
        if (typeof first === 'string') assert.fail(`${services}: ${first}`);
        assert.deepEqual(first.quality, [], services);
        assert.ok(first.readings.some(({ object }) => object === '1-0:1.8.0*255'));
        const [request, response] = TAGS[services];
        const signing = APDU_TAG.generalSigning;
        const expected = signed ? [signing, signing] : [request, response];
        const [asked, answered] = [
          tags.indexOf(expected[0] ?? 0),
          tags.lastIndexOf(expected[1] ?? 0),
        ];
        assert.ok(asked >= 0 && answered > asked, `${services}: ${tags.join()}`);
      }
    });
  }
}

test('who knows another key of the meter takes nothing that it says', async (context) => {
  const { port } = await meterFor(context);
  const right = keyringOf(1);
  const stranger = keyringOf(1, 'stranger');
  for (const [field, services, code] of [
    ['meter-signing', 'one-pass', 'not-authentic'],
    ['meter-agreement', 'static-unified', 'wrong-key'],
    ['master', 'wrapped-key', 'wrong-key'],
  ] as const) {
    const ring = { ...right, [field]: stranger[field] };
    const first = await firstOf(
      configured(context, { port, client: 3, ciphering: { services }, ring }),
    );
    assert.equal(first, code, services);
  }
  const ring = { ...right, 'meter-signing': stranger['meter-signing'] };
  const ciphering = { services: 'glo', signed: true } as const;
  const forged = await firstOf(configured(context, { port, client: 3, ciphering, ring }));
  assert.equal(forged, 'bad-signature');
});

const NEEDED = [
  ['identified-key', false, ['system-title']],
  ['wrapped-key', false, ['system-title', 'master']],
  ['one-pass', false, ['system-title', 'signing', 'agreement', 'meter-signing', 'meter-agreement']],
  ['static-unified', false, ['system-title', 'agreement', 'meter-agreement']],
  ['glo', true, ['system-title', 'signing', 'meter-signing']],
] as const;

for (const [services, signed, fields] of NEEDED) {
  const what = signed ? `${services}, signed` : services;
  test(`a source with ${what} names the keys that it lacks`, (context) => {
    const { suite, encryption, authentication } = keyringOf(1);
    const ring = { suite, encryption, authentication };
    const loaded = configured(context, {
      port: 1,
      client: 3,
      ciphering: { services, signed },
      ring,
    });
    assert.ok('problems' in loaded);
    const [problem] = loaded.problems;
    assert.equal(problem.code, 'missing-key');
    assert.equal(problem.path, 'sources[0].ciphering');
    const named = /\{ (.*) \}/.exec(problem.hint)?.[0];
    assert.deepEqual(Object.keys(parse(named ?? '') as object), fields);
  });
}

test('normctl reads with a signed request under an agreed key', async (context) => {
  const { port } = await meterFor(context);
  const folder = mkdtempSync(join(tmpdir(), 'normctl-general-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const keyring = join(folder, 'keys.yaml');
  const keys = keyringOf(2);
  writeFileSync(keyring, JSON.stringify({ house: keys }), { mode: 0o600 });
  const at = ['--tcp', `127.0.0.1:${port}`, '--client', '4', '--counter', CLIENTS[4].object];
  const ring = ['--keyring', keyring, '--meter', 'house', '--counters', join(folder, 'counters')];
  const words = ['meter', 'read', '1-0:1.8.0', ...at, ...ring, '--mechanism', 'high-ecdsa'];
  const how = ['--ciphering', 'static-unified', '--authentication', 'require', '--json'];
  const read = await runNormctl([...words, '--signed', ...how]);
  assert.equal(read.status, 0, read.err + read.out);
  const { quality } = envelope(read.out).data as { quality?: unknown };
  assert.equal(quality, undefined, 'proven');
  const alone = await runNormctl([...words, '--signed']);
  assert.equal(alone.status, 2, 'nothing is signed in clear');
  const shown = read.out + read.err + alone.out + alone.err;
  for (const key of Object.values(keys)) assert.ok(!shown.includes(String(key)) || key === 2);
});
