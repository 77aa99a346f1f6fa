import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { traceHead, traceLine } from '#bytes/trace.ts';
import { encodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import { encodeFrame } from '#protocol/c37118/frame.ts';
import { sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { securityControlFrom } from '#protocol/dlms/security.ts';
import { p1TelegramAt } from '#sim/p1-meter.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { DecodedLine } from '../../firmware-ts/cli/decode/line.ts';
import { decodeStreams } from '../../firmware-ts/cli/decode/run.ts';
import { streamsOf } from '../../firmware-ts/cli/decode/streams.ts';
import { codesOf, decoded, keysOf } from '../support/decoding.ts';
import { meterVectors, withoutVectors } from '../support/vectors.ts';

/** The lines, protocol left to be found; none where nothing is recognised. */
function found(bytes: Uint8Array): readonly DecodedLine[] {
  try {
    return decoded(bytes);
  } catch (error) {
    assert.equal(failureOf(error).code, 'not-recognised');
    return [];
  }
}

function isGood({ ok }: DecodedLine): boolean {
  return ok;
}

const TELEGRAM = p1TelegramAt(1_795_219_200, 0);
/** Telegrams whose CRC is good. */
const TELEGRAMS: readonly (readonly [string, Uint8Array])[] = [
  ['the simulated meter', TELEGRAM],
  ...meterVectors('dlms/push', ['p1/telegram'])
    .map(({ id, hex }) => [id, fromHex(hex)] as const)
    .filter(([, bytes]) => found(bytes).some(({ check }) => check === 'good')),
];

/** So many places of each telegram are damaged, and all of its ends. */
const PLACES = 60;

function* placesOf(start: number, end: number): Generator<number> {
  const step = Math.ceil((end - start) / PLACES);
  for (let place = start; place < end; place += 1) {
    if ((place - start) % step === 0 || place < start + 8 || place > end - 8) yield place;
  }
}

for (const [id, bytes] of TELEGRAMS) {
  const text = latin1FromBytes(bytes);
  const start = text.indexOf('/');
  const exclamation = text.lastIndexOf('\n!') + 1;

  test(`${id}: a telegram with a damaged byte is never good, whatever it is taken for`, () => {
    for (const place of placesOf(start, exclamation + 5)) {
      for (const flip of [0x01, 0x10, 0x80]) {
        const damaged = bytes.with(place, (bytes[place] ?? 0) ^ flip);
        assert.deepEqual(found(damaged).filter(isGood), [], `byte ${place} ^ ${flip}`);
      }
    }
  });

  test(`${id}: with other line ends it is not what the meter sent`, () => {
    for (const lineEnd of ['\n', '\r', '\r\r\n']) {
      const saved = bytesFromLatin1(text.replaceAll('\r\n', lineEnd));
      assert.deepEqual(found(saved).filter(isGood), [], JSON.stringify(lineEnd));
    }
  });

  test(`${id}: one that breaks off is not good`, () => {
    for (const place of placesOf(start + 1, exclamation + 1)) {
      assert.deepEqual(found(bytes.subarray(0, place)).filter(isGood), [], `${place} bytes`);
    }
  });
}

test('a telegram that says it has a CRC is not good without it', () => {
  const text = latin1FromBytes(TELEGRAM);
  const exclamation = text.indexOf('!');
  for (const [version, codes] of [
    ['1-3:0.2.8(50)', ['bad-crc']],
    ['1-3:0.2.8(40)', ['bad-crc']],
    ['0-0:96.1.4(50217)', ['bad-crc']],
    ['1-3:0.2.8(30)', [undefined]],
    ['0-0:17.0.0(999.9*kW)', [undefined]],
  ] as const) {
    for (const ending of ['!', '!\r\n']) {
      const cut = text.slice(0, exclamation).replace('1-3:0.2.8(50)', version) + ending;
      assert.deepEqual(codesOf(decoded(bytesFromLatin1(cut))), codes, version);
    }
  }
  const second = bytesFromLatin1(`${text}${text.slice(0, exclamation)}!\r\n`);
  assert.deepEqual(codesOf(decoded(second)), [undefined, 'bad-crc']);
});

const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: new Uint8Array(16).fill(2),
};

function sealed(invocationCounter: number): Uint8Array {
  return sealGeneralCiphering(TELEGRAM, {
    systemTitle: bytesFromLatin1('NRMtitle'),
    securityControl: securityControlFrom(0x30),
    invocationCounter,
    keys: KEYS,
    cipher: machineAesGcm,
  });
}

test('ciphered telegrams are found and read with their keys, and with no others', () => {
  const bytes = Buffer.concat([sealed(1), sealed(2)]);
  const good = decoded(bytes, { keys: KEYS });
  assert.deepEqual(
    good.map(({ protocol, ok, verified, offset }) => [protocol, ok, verified, offset]),
    [
      ['p1', true, true, 0],
      ['p1', true, true, bytes.length / 2],
    ],
  );
  assert.ok((good[0]?.readings?.length ?? 0) > 10);
  const { encryption } = KEYS;
  assert.ok(decoded(bytes, { keys: { encryption } }).every(isGood));
  for (const [keys, code] of [
    [{ ...KEYS, encryption: new Uint8Array(16) }, 'wrong-key'],
    [{ ...KEYS, authentication: new Uint8Array(16) }, 'wrong-authentication-key'],
    [{ encryption: new Uint8Array(16) }, 'wrong-key'],
  ] as const) {
    assert.deepEqual(new Set(codesOf(decoded(bytes, { keys }))), new Set([code]));
  }
});

const ciphered = meterVectors('dlms/push', ['p1/encrypted']);

test('a captured ciphered telegram is read with its keys', { skip: withoutVectors }, () => {
  assert.ok(ciphered.length > 0);
  for (const vector of ciphered) {
    const lines = decoded(fromHex(vector.hex), { keys: keysOf(vector) });
    assert.ok(
      lines.some(({ protocol, readings = [] }) => protocol === 'p1' && readings.length > 0),
      vector.id,
    );
  }
});

const HEAD = { version: 1, idCode: 7, second: 0, fraction: 0, timeQuality: 0 } as const;
const DATA = encodeFrame({ ...HEAD, kind: 'data' }, new Uint8Array(8));
const NOTIFICATION = fromHex('0f0000000100020209060100010800ff0600001267');

test('every error has its place in the stream, of the message at least', () => {
  const noise = bytesFromLatin1('??');
  const keyed = { keys: { encryption: new Uint8Array(16) } };
  for (const [as, bytes, options, code, place] of [
    ['p1', TELEGRAM.with(40, 0x7f), {}, 'bad-character', 0],
    ['p1', TELEGRAM.with(40, 0x2b), {}, 'bad-crc', 0],
    ['p1', sealed(1), {}, 'key-missing', 0],
    ['p1', sealed(1), keyed, 'wrong-key', 0],
    ['p1', TELEGRAM.subarray(0, 200), {}, 'truncated', 0],
    ['raw', sealed(1), keyed, 'wrong-key', 0],
    ['raw', NOTIFICATION.with(6, 0x77), {}, 'unknown-tag', 6],
    ['c37118', DATA, {}, 'no-configuration', 0],
  ] as const) {
    const offset = noise.length;
    const lines = decoded(Buffer.concat([noise, bytes]), { as, ...options });
    const line = lines.find(({ error }) => error?.code === code);
    assert.equal(line?.error?.offset, offset + place, `${as} ${code} in ${String(codesOf(lines))}`);
    for (const { error } of lines) assert.ok(error === undefined || error.offset >= 0);
  }
});

test('the place is that of the frame in the stream, not of the frame by itself', () => {
  const lines = decoded(Buffer.concat([DATA, DATA.with(20, 1), DATA]), { as: 'c37118' });
  const [, crc] = lines;
  assert.equal(crc?.error?.code, 'bad-crc');
  assert.ok(crc.error.offset >= DATA.length, String(crc.error.offset));
  assert.equal(lines.at(-1)?.error?.offset, 2 * DATA.length);
  const wrapped = Buffer.concat([fromHex('000100010001'), fromHex('0015'), NOTIFICATION]);
  const twice = Buffer.concat([wrapped, wrapped]).fill(0x77, 29 + 8 + 6, 29 + 8 + 7);
  const [good, bad] = decoded(twice, { as: 'wrapper' });
  assert.deepEqual([good?.ok, bad?.error?.code, bad?.error?.offset], [true, 'unknown-tag', 43]);
});

test('bytes that a capture lacks have their place', () => {
  const { length } = TELEGRAM;
  const streams = [{ chunks: [TELEGRAM, TELEGRAM], lost: { count: 9, offset: length } }];
  const line = [...decodeStreams(streams, { keys: {} })].at(-1);
  assert.deepEqual([line?.error?.code, line?.error?.offset], ['capture-gap', length]);
});

test('hints speak to whoever decodes, not to whoever configures', () => {
  const keys = { ...KEYS, authentication: new Uint8Array(16) };
  for (const [lines, hint] of [
    [decoded(sealed(1)), /--key/],
    [decoded(sealed(1), { keys: { encryption: new Uint8Array(16) } }), /--key/],
    [decoded(sealed(1), { keys }), /--auth-key/],
    [decoded(Buffer.concat([sealed(1), sealed(1)]), { keys: KEYS }), /twice/],
    [decoded(DATA, { as: 'c37118' }), /together with the CFG frame/],
  ] as const) {
    const error = lines.at(-1)?.error;
    assert.match(error?.hint ?? '', hint, error?.code);
    assert.doesNotMatch(error?.hint ?? '', /policy|configuration/);
  }
});

test('the inputs of a digital channel are sixteen names', () => {
  const names = Array.from({ length: 16 }, (_, index) => `breaker ${index}`);
  const configuration = encodeConfiguration({
    head: { ...HEAD, kind: 'configuration-2' },
    timeBase: 1_000_000,
    dataRate: 50,
    pmus: [
      {
        stationName: 'station',
        idCode: 7,
        format: { polar: true, floatPhasors: true, floatAnalogs: true, floatFrequency: true },
        phasors: [],
        analogs: [],
        digitals: [{ names, normalMask: 0, validMask: 0xffff }],
        nominalFrequency: 50,
        changeCount: 1,
      },
    ],
  });
  const [line] = decoded(configuration);
  const [pmu] = line?.['pmus'] as readonly { readonly digitals: unknown }[];
  assert.deepEqual(pmu?.digitals, [names]);
});

const bare = meterVectors('dlms/push', ['hdlc/frame-no-flags']);

test('HDLC frames without their flags are read as with them', { skip: withoutVectors }, () => {
  assert.ok(bare.length > 0);
  for (const { id, hex, ...rest } of bare) {
    const bytes = fromHex(hex);
    const options = { as: 'hdlc', keys: keysOf({ id, hex, ...rest }) };
    const flags = Buffer.concat([Uint8Array.of(0x7e), bytes, Uint8Array.of(0x7e)]);
    const said = (lines: readonly DecodedLine[]): readonly unknown[] =>
      lines.map(({ ok, readings, error }) => [ok, readings, error?.code]);
    const lines = decoded(bytes, options);
    assert.deepEqual(said(lines), said(decoded(flags, options)), id);
    assert.ok(
      lines.some(({ error }) => error?.code !== 'noise'),
      id,
    );
    for (const { offset, length } of lines) assert.ok(offset + length <= bytes.length, id);
  }
});

const HDLC_LOW = join(import.meta.dirname, '../vectors/dlms/gurux-c-server-hdlc-ln-low.json');

interface Recorded {
  readonly frames: readonly { readonly dir: 'tx' | 'rx'; readonly hex: string }[];
}

/** The session as `--trace` writes it; `damage` comes into the last octet of its n-th line. */
function traceOf({ frames }: Recorded, damage = -1): Uint8Array {
  const lines = frames.map(({ dir, hex }, t) => {
    const bytes = fromHex(hex);
    const at = latin1FromBytes(bytes).indexOf('Gurux');
    if (at >= 0) bytes.fill(0, at, at + 5);
    if (t === damage) bytes[bytes.length - 2] = (bytes.at(-2) ?? 0) ^ 1;
    return traceLine({ t, dir, bytes, masked: at >= 0 });
  });
  const head = traceHead('2026-11-21T00:00:00.000Z');
  return bytesFromLatin1([head, ...lines, ''].join('\n'));
}

test('a frame whose password a trace masks is told as masked, and all others are read', () => {
  const recorded = JSON.parse(readFileSync(HDLC_LOW, 'utf8')) as Recorded;
  const lines = [...decodeStreams(streamsOf(traceOf(recorded)), { keys: {} })];
  const faults = codesOf(lines.filter(({ ok }) => !ok));
  assert.deepEqual(new Set(faults), new Set(['trailing-bytes']), 'that server sends too much');
  const kinds = lines.map(({ stream, frame }) => `${String(stream)} ${String(frame)}`);
  assert.deepEqual(
    kinds.filter((kind) => /masked|parameters|aare/.test(kind)),
    ['rx hdlc-parameters', 'tx masked', 'rx aare', 'rx hdlc-parameters'],
  );
  const damaged = traceOf(recorded, recorded.frames.length - 3);
  const all = codesOf(
    [...decodeStreams(streamsOf(damaged), { keys: {} })].filter((line) => !isGood(line)),
  );
  assert.deepEqual(all.toSorted(), [...faults, 'bad-fcs'].toSorted());
});
