import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex } from '#bytes/hex.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { Served, ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { machineClock } from '#system/clock.ts';
import { runNormctl } from '../support/command-line.ts';
import { openWorld } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';
import { KEYS, OUR_CLIENT, keyringText, securedMeter } from '../support/secured-meter.ts';

const DOUBTFUL = 0x02;
const ENERGY = '1-0:1.8.0*255';
const PROFILE_STATUS = '0-0:96.10.1*255';
/** Data not valid: the entry is not for billing without a second look (IDIS). */
const DATA_NOT_VALID = 4;
const MARKS = ['unverified', 'clock-unsynchronised'];

/** Every time that a meter tells whose clock is not locked; the deviation stays known. */
function withDoubt(data: Data): Data {
  if (data.type === 'octet-string' && data.value.length === 12) {
    return { ...data, value: data.value.with(11, DOUBTFUL) };
  }
  if (data.type !== 'array' && data.type !== 'structure') return data;
  return { ...data, value: data.value.map(withDoubt) };
}

function doubtful(objects: ServerObjects): ServerObjects {
  const served = (value: Served): Served =>
    'data' in value ? { ...value, data: withDoubt(value.data) } : value;
  return {
    get: (attribute) => served(objects.get(attribute)),
    set: (item) => objects.set(item),
    act: (item) => objects.act(item),
  };
}

const steady = { scaler: 0, perHour: 0, swing: 0, captured: true };
const METER = new CosemObjects({
  clock: machineClock,
  deviceName: 'NRM1',
  profileRows: 8,
  registers: [
    { ...steady, obis: ENERGY, unit: 'Wh', start: 42 },
    { ...steady, obis: PROFILE_STATUS, unit: '', start: DATA_NOT_VALID },
  ],
});

test(
  'what is doubtful of a row is told by the status and to the head-end, and its values are kept',
  { skip: withoutMosquitto },
  async (context) => {
    const world = await openWorld();
    context.after(() => world.dispose());
    const { port } = await securedMeter(context, {
      association: {
        mechanism: 'high-gmac',
        ciphering: { level: 'authenticated-and-encrypted' },
      },
      objects: doubtful(METER),
    });
    const keys = {
      encryption: toHex(KEYS.encryption),
      authentication: toHex(KEYS.authentication),
    };
    await writeFile(join(world.folder, 'keys.yaml'), keyringText('meter', keys), { mode: 0o600 });
    const source = {
      name: 'meter',
      protocol: 'dlms',
      link: { kind: 'tcp', host: '127.0.0.1', port },
      client: OUR_CLIENT,
      mechanism: 'high-gmac',
      ciphering: {},
      authentication: 'never',
      read: { kind: 'profile', object: '1-0:99.1.0' },
    };
    const gateway = await world.start([source], undefined, { keyring: 'keys.yaml' });
    await world.subscriber.until(() => world.subscriber.packs.some(isOfMeter));
    const { sources } = await gateway.until(({ sources: [first] }) => {
      return first?.link.state === 'resting' && first.lastReadings.length > 0;
    });
    const last = sources[0]?.lastReadings ?? [];
    const shown = last.map(({ object, value, quality }) => [object, value, quality]);
    assert.deepEqual(shown.slice(-2), [
      [ENERGY, 42, MARKS],
      [PROFILE_STATUS, DATA_NOT_VALID, MARKS],
    ]);
    const { out, status } = await runNormctl(['status', '--socket', world.socket]);
    assert.equal(status, 0, out);
    // A console of 80 columns has no room for all marks.
    assert.match(out, /1-0:1\.8\.0\*255.*unverified,clo/);
    const records = world.subscriber.packs.filter(isOfMeter).flatMap((pack) => pack.records);
    assert.ok(records.length > 0);
    for (const record of records) assert.deepEqual(record.get('q'), MARKS);
    assert.equal(await gateway.end('SIGTERM'), 0);
  },
);

function isOfMeter({ baseName }: { readonly baseName: string }): boolean {
  return baseName === 'gw-1/meter/';
}
