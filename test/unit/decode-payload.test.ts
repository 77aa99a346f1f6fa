import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { wrapPayload } from '#contract/envelope.ts';
import type { Observation } from '#reading/reading.ts';
import { jsonOfPack } from '#reading/senml-json.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { machineZstd } from '#system/zstd.ts';
import type { DecodedLine } from '../../firmware-ts/cli/decode/line.ts';
import { codesOf, decoded } from '../support/decoding.ts';

const TIME = { second: 1_795_262_400, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;

function observation(number: number): Observation {
  const time = { ...TIME, second: TIME.second + number };
  const energy = { object: '1-0:1.8.0*255', raw: 12_345_678 + number, scaler: 0, unit: 'Wh' };
  const voltage = { object: '1-0:32.7.0*255', raw: 2301, scaler: -1, unit: 'V' };
  const own = { ...voltage, object: '0-1:24.2.1*255', unit: 'm3', time: TIME };
  return { source: 'meter', time, quality: ['test'], readings: [energy, voltage, own] };
}

const KEY = { gateway: 'gw-0001', stream: 'meter', epoch: 7, sequence: 40, count: 3 };
const PACK = encodePack(KEY, [0, 1, 2].map(observation).map(encodeRecords));
const COMPRESSED = wrapPayload(PACK, machineZstd);
const JSON_PACK = Buffer.from(`${jsonOfPack(PACK)}\n`);

/** What does not depend on the form in which it came. */
function content([line]: readonly DecodedLine[]): unknown {
  return { ...line, length: 0, uncompressed: 0 };
}

test('a payload tells its key and readings, bare, in an envelope and in JSON', () => {
  const [line] = decoded(PACK);
  assert.ok(line?.ok);
  const { protocol, gateway, stream, epoch, sequence, count, time, readings } = line;
  assert.deepEqual({ gateway, stream, epoch, sequence, count }, KEY);
  assert.deepEqual([protocol, time], ['senml', '2026-11-21T12:00:00Z']);
  assert.deepEqual(readings?.slice(2, 5), [
    {
      ...{ object: '0-1:24.2.1*255', raw: 2301, scaler: -1, value: 230.1, unit: 'm3' },
      quality: ['test'],
    },
    {
      ...{ object: '1-0:1.8.0*255', raw: 12_345_679, scaler: 0, value: 12_345_679, unit: 'Wh' },
      ...{ time: '2026-11-21T12:00:01Z', quality: ['test'] },
    },
    {
      ...{ object: '1-0:32.7.0*255', raw: 2301, scaler: -1, value: 230.1, unit: 'V' },
      ...{ time: '2026-11-21T12:00:01Z', quality: ['test'] },
    },
  ]);
  const compressed = decoded(COMPRESSED);
  assert.equal(compressed[0]?.['uncompressed'], PACK.length);
  assert.deepEqual(content(compressed), content([line]));
  const [json] = decoded(JSON_PACK);
  assert.equal(json?.['form'], 'json');
  assert.deepEqual(
    json.readings?.map(({ object, value }) => [object, value]),
    readings.map(({ object, value }) => [object, value]),
  );
});

test('a damaged or hostile payload is never good, and says why', () => {
  for (let length = 0; length < COMPRESSED.length; length += 1) {
    const [line] = length < 3 ? [] : decoded(COMPRESSED.subarray(0, length));
    assert.ok(line === undefined || (!line.ok && line.error !== undefined), `${length} bytes`);
  }
  const bomb = machineZstd.compress(new Uint8Array(1 << 21));
  const head = fromHex(`a201000259${bomb.length.toString(16).padStart(4, '0')}`);
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [Buffer.concat([head, bomb]), 'too-large'],
    [COMPRESSED.with(2, 9), 'unknown-dictionary'],
    [COMPRESSED.with(2, 0), 'bad-compression'],
    [PACK.subarray(0, -1), 'truncated'],
    [Buffer.concat([PACK, Uint8Array.of(0)]), 'trailing-bytes'],
    [JSON_PACK.subarray(0, -2), 'bad-json'],
  ];
  for (const [payload, code] of cases) assert.deepEqual(codesOf(decoded(payload)), [code]);
});
