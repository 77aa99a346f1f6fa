import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { advance, chainStart } from '#contract/chain.ts';
import { DICTIONARY_1_HEX, DICTIONARY_1_SHA256 } from '#contract/dictionary-1.ts';
import { unwrapPayload, wrapPayload } from '#contract/envelope.ts';
import { encodeEvent } from '#contract/event.ts';
import { type Manifest, decodeManifest, encodeManifest } from '#contract/manifest.ts';
import { type ReceivedStream, decodeReceipt, encodeReceipt } from '#contract/receipt.ts';
import { formsOfPack, formsOfRecords } from '#contract/records.ts';
import type { Reading } from '#reading/reading.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { machineZstd } from '#system/zstd.ts';
import { sha256 } from '../support/contract.ts';

const AT = '2026-11-21T12:00:00Z';
const TIME = { second: 1_795_262_400, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;
const KEY = { gateway: 'gw-0001', stream: 'meter', epoch: 1_795_262_400, sequence: 0, count: 1 };

/** The code, and the field where there is one. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    const { code, field } = failureOf(error);
    return field === undefined ? code : `${code} ${field}`;
  }
  return 'none';
}

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

// H(0) = SHA-256(32 zero bytes, u64 0, a3 22 00 00 61 61 02 01): bt 0, n "a", v 1.
const FORM = fromHex('a3220000616102 01');

test('the chain is SHA-256 over the chain before, the number, and the canonical form', () => {
  const input = Buffer.concat([new Uint8Array(32), new Uint8Array(8), FORM]);
  assert.deepEqual(advance(sha256, chainStart(), 0, FORM), sha256(input));
  const far = Buffer.concat([new Uint8Array(32), fromHex('001fffffffffffff'), FORM]);
  assert.deepEqual(advance(sha256, chainStart(), Number.MAX_SAFE_INTEGER, FORM), sha256(far));
  assert.deepEqual(advance(sha256, chainStart(), 7, new Uint8Array()), chainStart(), 'a gap');
});

test('a pack is refused for anything that the chain would not see', () => {
  // bver 26, bn "g/s/", k [1, 0, 1], bt 0, n "a", v 1
  const good = '81 a6 20181a 2164672f732f 616b 83010001 2200 006161 0201';
  assert.equal(formsOfPack(fromHex(good)).forms.map(toHex).join(' '), toHex(FORM));
  const cases: readonly (readonly [string, string, string])[] = [
    ['20181a', '20181b', 'bad-record bver'],
    ['2164672f732f', '2164672f732e', 'bad-key bn'],
    ['616b 83010001', '616b 83010002', 'bad-count k'],
    ['616b 83010001', '616b 82010001', 'bad-key k'],
    ['616b 83010001', '616b 830100 20', 'bad-key k'],
    ['2200', '2300', 'bad-record bt'],
    ['2200', '2161 61', 'bad-record label'],
    ['2200', '616b 00', 'bad-record label'],
    ['2200', '3802 00', 'bad-record label'],
    ['0201', '02 9f01', 'unsupported record'],
    ['0201', '02 8181818181 01', 'too-deep record'],
    ['0201', '02 9affffffff', 'truncated record'],
    ['0201', '0201 00', 'trailing-bytes pack'],
    ['81 a6', '82 a6', 'truncated record'],
    ['81 a6', '81 b806', 'bad-record record'],
    ['81 a6', '81 a7', 'truncated label'],
  ];
  for (const [from, to, expected] of cases) {
    const bad = fromHex(good.replace(from, to));
    assert.equal(
      refusal(() => formsOfPack(bad)),
      expected,
      `${from} -> ${to}`,
    );
  }
  assert.equal(
    refusal(() => formsOfPack(new Uint8Array((1 << 20) + 1))),
    'too-large pack',
  );
  assert.equal(
    refusal(() => formsOfRecords(fromHex('a2 006161 0201'))),
    'bad-record bt',
  );
});

const STATE = {
  stream: 'meter',
  class: 'measurement',
  epoch: 1_795_262_400,
  through: 41,
  chain: '00'.repeat(32),
  next: 43,
  gaps: [
    { from: 3, through: 5, reason: 'age', at: AT },
    { from: 7, through: 7, reason: 'quarantined', at: AT },
  ],
} as const;
const MANIFEST: Manifest = { version: 1, gateway: 'gw-0001', at: AT, number: 9, streams: [STATE] };

test('a manifest comes back as it was; keys of a later normd are passed over', () => {
  const text = encodeManifest(MANIFEST);
  assert.deepEqual(decodeManifest(Buffer.from(text)), MANIFEST);
  const later = { ...MANIFEST, streams: [{ ...STATE, later: 1 }], later: { a: [] } };
  assert.deepEqual(decodeManifest(bytesOf(later)), MANIFEST);
  const { version, ...rest } = later;
  const reordered = { ...rest, version };
  assert.equal(encodeManifest(reordered), text, 'one text for one manifest');
});

test('a manifest that contradicts itself is refused with the field', () => {
  const streams = (...list: readonly object[]): object => ({ ...MANIFEST, streams: list });
  const gaps = (...list: readonly object[]): object => streams({ ...STATE, gaps: list });
  const [gap] = STATE.gaps;
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'message'],
    [{ ...MANIFEST, version: 2 }, 'version'],
    [{ ...MANIFEST, gateway: '../x' }, 'gateway'],
    [{ ...MANIFEST, at: 'yesterday' }, 'at'],
    [{ ...MANIFEST, number: -1 }, 'number'],
    [{ ...MANIFEST, streams: {} }, 'streams'],
    [{ ...MANIFEST, streams: [7] }, 'streams[0].'],
    [streams(STATE, STATE), 'streams'],
    [streams({ ...STATE, chain: 'AA'.repeat(32) }), 'streams[0].chain'],
    [streams({ ...STATE, through: 43 }), 'streams[0].through'],
    [streams({ ...STATE, through: -2 }), 'streams[0].through'],
    [streams({ ...STATE, class: 'royal' }), 'streams[0].class'],
    [streams({ ...STATE, epoch: 2 ** 53 }), 'streams[0].epoch'],
    [gaps({ ...gap, reason: 'boredom' }), 'streams[0].gaps[0].reason'],
    [gaps({ ...gap, through: 2 }), 'streams[0].gaps[0].through'],
    [gaps({ ...gap, through: 43 }), 'streams[0].gaps[0].through'],
    [gaps(gap, gap), 'streams[0].gaps[1].from'],
  ];
  for (const [value, field] of cases) {
    assert.equal(
      refusal(() => decodeManifest(bytesOf(value))),
      `bad-manifest ${field}`,
    );
  }
  assert.equal(
    refusal(() => decodeManifest(Buffer.from('{'))),
    'bad-manifest message',
  );
  assert.equal(
    refusal(() => decodeManifest(new Uint8Array((1 << 20) + 1))),
    'too-large',
  );
});

test('a receipt comes back as it was, and of too many holes tells the first', () => {
  const stream: ReceivedStream = {
    stream: 's',
    epoch: 1,
    through: 9,
    holes: [
      [0, 3],
      [5, 5],
    ],
  };
  const receipt = { version: 1, streams: [stream] } as const;
  assert.deepEqual(decodeReceipt(Buffer.from(encodeReceipt(receipt))), receipt);
  const holes = Array.from({ length: 300 }, (_, at) => [2 * at, 2 * at] as const);
  const many = { version: 1, streams: [{ ...stream, through: 1000, holes }] } as const;
  const [read] = decodeReceipt(Buffer.from(encodeReceipt(many))).streams;
  assert.deepEqual([read?.through, read?.holes.length], [511, 256], 'all told up to 511 is so');
});

test('a receipt of a hostile back-end is refused with the field', () => {
  const stream = { stream: 's', epoch: 1, through: 9 };
  for (const holes of [
    [[3, 2]],
    [[0, 9]],
    [[-1, 2]],
    [[0, 1, 2]],
    [[0, 1.5]],
    [
      [0, 4],
      [4, 5],
    ],
    [
      [6, 7],
      [1, 2],
    ],
    [7],
  ]) {
    const wrong = refusal(() =>
      decodeReceipt(bytesOf({ version: 1, streams: [{ ...stream, holes }] })),
    );
    assert.match(wrong, /^bad-receipt streams\[0\]\.holes\[\d\]$/);
  }
  const most = Array.from({ length: 257 }, (_, at) => [2 * at, 2 * at]);
  const long = { version: 1, streams: [{ ...stream, through: 1000, holes: most }] };
  assert.equal(
    refusal(() => decodeReceipt(bytesOf(long))),
    'bad-receipt streams[0].holes',
  );
  const deep = Buffer.from('['.repeat(61_440));
  assert.equal(
    refusal(() => decodeReceipt(deep)),
    'bad-receipt message',
  );
});

test('an event says what happened, how bad it is, and when', () => {
  const text = encodeEvent(AT, 'gap', {
    stream: 's',
    epoch: 1,
    from: 2,
    through: 3,
    reason: 'age',
  });
  assert.equal(
    text,
    `{"version":1,"at":"${AT}","event":"gap","severity":"warning",` +
      '"stream":"s","epoch":1,"from":2,"through":3,"reason":"age"}',
  );
});

/** Twenty of the readings of a three-phase DSMR 5 telegram. */
const READINGS: readonly Reading[] = [
  ...['1.8.1', '1.8.2', '2.8.1', '2.8.2'].map((object, at) => [object, 'kWh', -3, 4_426_391 + at]),
  ...['1.7.0', '2.7.0'].map((object, at) => [object, 'kW', -3, 1193 * (1 - at)]),
  ...['32.32.0', '52.32.0', '32.36.0', '52.36.0'].map((object, at) => [object, '', 0, at]),
  ...['32.7.0', '52.7.0', '72.7.0'].map((object, at) => [object, 'V', -1, 2301 + 7 * at]),
  ...['31.7.0', '51.7.0', '71.7.0'].map((object, at) => [object, 'A', 0, 1 + at]),
  ...['21.7.0', '41.7.0', '61.7.0', '22.7.0'].map((object, at) => [
    object,
    'kW',
    -3,
    378 + 31 * at,
  ]),
].map(([object, unit, scaler, raw]) => ({
  object: `1-0:${String(object)}*255`,
  unit: String(unit),
  scaler: Number(scaler),
  raw: Number(raw),
}));

const TELEGRAM = encodePack(KEY, [
  encodeRecords({
    source: 'meter',
    time: { ...TIME, localOffsetMin: 60 },
    quality: [],
    readings: READINGS,
  }),
]);

test('twenty readings of a P1 telegram travel in less than 150 bytes', () => {
  assert.equal(READINGS.length, 20);
  const small = wrapPayload(TELEGRAM, machineZstd);
  assert.ok(small.length < 150, `${small.length} of ${TELEGRAM.length} bytes`);
  assert.ok(small.length < wrapPayload(TELEGRAM, machineZstd, 0).length / 1.5);
  assert.deepEqual(Buffer.from(unwrapPayload(small, machineZstd)), Buffer.from(TELEGRAM));
});

test('dictionary 1 is what was published', () => {
  assert.equal(toHex(sha256(fromHex(DICTIONARY_1_HEX))), DICTIONARY_1_SHA256);
  const room = join(import.meta.dirname, '../../firmware-ts/contract');
  const published = readFileSync(join(room, 'dictionary-1.bin'));
  assert.deepEqual(published, Buffer.from(fromHex(DICTIONARY_1_HEX)));
  assert.ok(published.length <= 4096);
  const cddl = readFileSync(join(room, 'normd-1.cddl'), 'utf8');
  assert.ok(cddl.includes(`${published.length} bytes`) && cddl.includes(DICTIONARY_1_SHA256));
});

test('a payload that compression would lengthen goes as it is', () => {
  const tiny = encodePack(KEY, [
    encodeRecords({ source: 'm', time: TIME, quality: [], readings: [] }),
    encodeRecords({
      source: 'm',
      time: TIME,
      quality: [],
      readings: [{ object: 'z', raw: sha256(FORM), scaler: 0, unit: '' }],
    }),
  ]);
  assert.equal(wrapPayload(tiny, machineZstd, 0), tiny);
  assert.equal(unwrapPayload(tiny, machineZstd), tiny);
});

/** One byte in a frame that asks for a window of 128 MiB (RFC 8878, 3.1.1.1.2). */
const WIDE = fromHex('28b52ffd 00 88 090000 41');

test('a hostile envelope is refused before it fills the memory', () => {
  const envelope = (dictionary: string, frame: Uint8Array): Uint8Array =>
    Buffer.concat([
      fromHex(`a201${dictionary}02 5a`),
      fromHex(frame.length.toString(16).padStart(8, '0')),
      frame,
    ]);
  const bomb = machineZstd.compress(new Uint8Array(1 << 24));
  assert.ok(bomb.length < 2000);
  const good = machineZstd.compress(TELEGRAM);
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [envelope('00', bomb), 'too-large'],
    [envelope('00', machineZstd.compress(new Uint8Array(1 << 21))), 'too-large'],
    [envelope('00', WIDE), 'too-large'],
    [envelope('00', good.subarray(0, -3)), 'bad-compression'],
    [envelope('00', FORM), 'bad-compression'],
    [envelope('02', good), 'unknown-dictionary dictionary'],
    [envelope('20', good), 'unknown-dictionary dictionary'],
    [fromHex('a201000200'), 'bad-envelope envelope'],
    [fromHex('a2010001 00'), 'bad-cbor envelope'],
    [Buffer.concat([envelope('00', good), FORM]), 'bad-envelope envelope'],
    [envelope('00', good).subarray(0, 20), 'truncated envelope'],
  ];
  for (const [payload, expected] of cases) {
    assert.equal(
      refusal(() => unwrapPayload(payload, machineZstd)),
      expected,
    );
  }
});
