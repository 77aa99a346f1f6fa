import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { jsonOfPack } from '#reading/senml-json.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { blocksIn } from '../../ci/readme.ts';

const ARRIVAL = {
  second: 1_795_262_401,
  nanosecond: 0,
  clock: 'gateway',
  trust: 'trusted',
} as const;

test("the README's bytes give the README's payload", () => {
  const text = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const hex = /decode ([0-9a-f]{40,})/.exec(text)?.[1] ?? '';
  const printed = blocksIn(text).find(({ info }) => info === 'json')?.body;
  const connection = new DlmsPushConnection({
    framing: 'auto',
    authentication: 'if-key',
    cipher: machineAesGcm,
  });
  connection.start(0);
  const [event] = connection.receive(fromHex(hex), 0).events;
  assert.ok(event?.kind === 'message');
  const observation = observationFromCosem('meter', event.message, ARRIVAL);
  const key = { gateway: 'gw-0001', stream: 'meter', epoch: 1_795_262_400, sequence: 0, count: 1 };
  const pack = encodePack(key, [encodeRecords(observation)]);
  assert.deepEqual(JSON.parse(jsonOfPack(pack)), JSON.parse(printed ?? ''));
  assert.match(text, new RegExp(`as ${pack.length} bytes of SenML`));
});
