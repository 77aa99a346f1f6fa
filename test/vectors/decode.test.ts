import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import { encodeHeader, simpleCommand } from '#protocol/c37118/command.ts';
import type { DecodedLine } from '../../firmware-ts/cli/decode/line.ts';
import { decodeStreams } from '../../firmware-ts/cli/decode/run.ts';
import { isHexText, streamsOf } from '../../firmware-ts/cli/decode/streams.ts';
import { codesOf, decoded, keysOf } from '../support/decoding.ts';
import { runsOf } from '../support/fuzz.ts';
import {
  CAPTURES,
  c37118Bytes,
  c37118Path,
  oracleOf,
  type OracleFrame,
} from '../support/c37118.ts';
import { VECTORS, meterVectors, withoutVectors } from '../support/vectors.ts';

/** `value unit` of an object in a line. */
function shown({ readings = [] }: DecodedLine, object: string): string | undefined {
  const reading = readings.find((one) => one.object === object);
  return reading && `${String(reading.value)} ${reading.unit}`.trim();
}

const KINDS: Readonly<Record<string, { protocol: string; framing?: string }>> = {
  'p1/telegram': { protocol: 'p1' },
  'p1/encrypted': { protocol: 'p1' },
  'd0/readout': { protocol: 'iec62056-21' },
  'hdlc/push': { protocol: 'dlms-push', framing: 'hdlc' },
  'mbus/push': { protocol: 'dlms-push', framing: 'mbus' },
  'wrapper/udp': { protocol: 'dlms-push', framing: 'wrapper' },
  'apdu/push': { protocol: 'dlms-push', framing: 'raw' },
};

for (const [kind, { protocol, framing }] of Object.entries(KINDS)) {
  const vectors = meterVectors('dlms/push', [kind]);
  test(`${kind}: every vector shows by itself what it is`, { skip: withoutVectors }, () => {
    assert.ok(vectors.length > 0);
    for (const vector of vectors) {
      const bytes = fromHex(vector.hex);
      const lines = decoded(bytes, { keys: keysOf(vector) });
      for (const line of lines) {
        assert.equal(line.protocol, protocol, vector.id);
        if (line.ok && framing !== undefined) assert.equal(line['framing'], framing, vector.id);
      }
      const named = decoded(bytes, { keys: keysOf(vector), as: framing ?? protocol });
      assert.deepEqual(named, lines, `${vector.id}: as when its name is given`);
    }
  });
  test(
    `${kind}: hex text and a JSON vector say what the bytes say`,
    { skip: withoutVectors },
    () => {
      for (const vector of vectors) {
        const options = { keys: keysOf(vector) };
        const lines = decoded(fromHex(vector.hex), options);
        const spaced = toHex(fromHex(vector.hex)).replace(/(..)/g, '0x$1, ');
        assert.deepEqual(decoded(bytesFromLatin1(spaced), options), lines, vector.id);
        assert.deepEqual(decoded(Buffer.from(JSON.stringify(vector)), options), lines, vector.id);
      }
    },
  );
}

/** What the sources of these vectors assert, or what their bytes spell (see each file's notes). */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'amshan-kaifa-no_list_3': {
    '1-0:1.7.0*255': '4904 W',
    '1-0:32.7.0*255': '219.3 V',
    '1-0:1.8.0*255': '79591144 Wh',
  },
  'nodedsmr-dlms-enc-aidon-example-2-with-aad': { '1-0:1.7.0*255': '1122 W' },
  'dsmr_parser-TELEGRAM_V4_2': { '1-0:1.8.1*255': '1581.123 kWh', '0-1:24.2.1*255': '981.443 m3' },
};

for (const [id, objects] of Object.entries(EXPECTED)) {
  test(`${id} has the values that its source asserts`, { skip: withoutVectors }, () => {
    const vector = meterVectors('dlms/push', Object.keys(KINDS)).find((one) => one.id === id);
    assert.ok(vector);
    const [line] = decoded(fromHex(vector.hex), { keys: keysOf(vector) });
    assert.ok(line?.ok);
    for (const [object, value] of Object.entries(objects)) {
      assert.equal(shown(line, object), value, object);
    }
  });
}

for (const capture of CAPTURES) {
  const title = `${capture}: each frame is read as another dissector reads it`;
  test(title, { skip: withoutVectors }, () => {
    const lines = decoded(c37118Bytes(`${capture}.pcap`));
    assert.deepEqual([...new Set(codesOf(lines))], [undefined]);
    const oracle = oracleOf(capture).filter((frame) => frame['frtype']?.[0] === '0x0000');
    const data = lines.filter(({ frame }) => frame === 'data');
    assert.equal(data.length, oracle.length);
    for (const idCode of new Set(data.map((line) => String(line['idCode'])))) {
      const theirs = oracle.filter((frame) => frame['idcode_stream_source']?.[0] === idCode);
      const ours = data.filter((line) => String(line['idCode']) === idCode);
      assert.equal(ours.length, theirs.length);
      for (const [index, line] of ours.entries()) assertSamePhasors(line, theirs[index]);
    }
  });
}

/** The oracle prints magnitudes with two decimals; some of its frames name no phasors. */
function assertSamePhasors({ readings = [] }: DecodedLine, theirs: OracleFrame | undefined): void {
  const phasors = theirs?.phasors ?? [];
  const ours = readings.filter(({ object }) => object.endsWith('/magnitude'));
  if (phasors.length === 0) return;
  assert.equal(ours.length, phasors.length);
  for (const [place, { mag }] of phasors.entries()) {
    const value = Number(ours[place]?.value);
    assert.ok(Math.abs(value - mag) <= 0.02 + mag * 1e-6, `${value} for ${mag}`);
  }
}

test('a capture that breaks off is shown up to there', { skip: withoutVectors }, () => {
  const whole = c37118Bytes('captures/C37.118_1PMU_UDP.pcap');
  const lines = decoded(whole.subarray(0, whole.length - 7));
  const last = lines.at(-1);
  assert.deepEqual([last?.protocol, last?.error?.code], ['pcap', 'truncated']);
  assert.ok(lines.slice(0, -1).every(({ ok }) => ok));
  assert.equal(lines.length, decoded(whole).length, 'one frame less, one line more');
});

test(
  'a frame in a file of its own is shown; DATA alone says what it lacks',
  {
    skip: withoutVectors,
  },
  () => {
    for (const file of readdirSync(join(VECTORS, 'c37118'), {
      recursive: true,
      encoding: 'utf8',
    })) {
      if (!/\.(bin|hex)$/.test(file)) continue;
      const lines = decoded(readFileSync(c37118Path(file)));
      assert.deepEqual([...new Set(lines.map(({ protocol }) => protocol))], ['c37118'], file);
      const expected = /data/.test(file) ? 'no-configuration' : undefined;
      assert.deepEqual([...new Set(codesOf(lines))], [expected], file);
    }
  },
);

const ciphered = meterVectors('dlms/push', ['hdlc/push', 'p1/encrypted']).filter(
  ({ keys }) => keys !== undefined,
);

test(
  'a ciphered message asks for its key, and calls a wrong key a wrong key',
  {
    skip: withoutVectors,
  },
  () => {
    assert.ok(ciphered.length > 1);
    for (const vector of ciphered) {
      const bytes = fromHex(vector.hex);
      const [missing] = decoded(bytes);
      assert.equal(missing?.error?.code, 'key-missing', vector.id);
      assert.ok(missing.error.hint, vector.id);
      const encryption = new Uint8Array(16).fill(7);
      const wrong = decoded(bytes, { keys: { ...keysOf(vector), encryption } });
      assert.deepEqual(codesOf(wrong), ['wrong-key'], vector.id);
    }
  },
);

test('both sides of a recorded session are streams of their own', { skip: withoutVectors }, () => {
  const [session] = meterVectors('dlms/interop', ['session']);
  assert.ok(session);
  const lines = decoded(Buffer.from(JSON.stringify(session)));
  assert.deepEqual(new Set(lines.map(({ stream }) => stream)), new Set(['rx', 'tx']));
});

const HEADER = encodeHeader({
  head: { kind: 'header', version: 1, idCode: 7, second: 0, fraction: 0, timeQuality: 0 },
  text: 'feeder 7',
});

test('noise between good frames is a line of its own, with its place', () => {
  const bytes = Buffer.concat([HEADER, Buffer.from('noise'), simpleCommand(7, 'turn-on')]);
  const lines = decoded(bytes);
  assert.deepEqual(
    lines.map(({ ok, offset, length }) => [ok, offset, length]),
    [
      [true, 0, HEADER.length],
      [false, HEADER.length, 5],
      [true, HEADER.length + 5, 18],
    ],
  );
  assert.equal(lines[0]?.['text'], 'feeder 7');
  assert.equal(lines[2]?.['command'], 'turn-on');
});

test('bytes that are nothing of ours, and names that nobody knows, are refused with a code', () => {
  const code = (expected: string) => (error: unknown) => failureOf(error).code === expected;
  assert.throws(() => decoded(bytesFromLatin1('GET / HTTP/1.1\r\n')), code('not-recognised'));
  assert.throws(() => decoded(HEADER, { as: 'morse' }), code('usage'));
  assert.throws(() => decoded(bytesFromLatin1('{"frames": [7]}')), code('bad-vector'));
  assert.throws(() => decoded(bytesFromLatin1('{"hex": "7"}')), code('bad-hex'));
});

/** Good bytes of every kind, to be damaged; made here so that they are always there. */
const SEEDS: readonly Uint8Array[] = [
  HEADER,
  bytesFromLatin1('/KFM5KAIFA\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n!\r\n'),
  bytesFromLatin1('/SIEC2WR5\r\n\u{2}6.8(0029.055*MWh)9.21(1)\r\n!\r\n\u{3}X'),
  fromHex('0f000000000001020309060100010800ff060000000a02020f00161e'),
  fromHex('0001000100010004c0010203'),
  fromHex('7ea00a0001'),
  fromHex('680d0d6853ff000167db084b464d1016'),
  ...meterVectors('dlms/push', Object.keys(KINDS)).map(({ hex }) => fromHex(hex)),
];

test('damaged and random bytes give lines in order and in bounds, or are not recognised', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  const mutated = fc
    .tuple(fc.constantFrom(...SEEDS), fc.constantFrom(...SEEDS), damage, fc.nat())
    .map(([first, second, changes, cut]) => {
      const bytes = Buffer.concat([first, second]);
      for (const [place, value] of changes) bytes[place % bytes.length] = value;
      return new Uint8Array(bytes.subarray(0, 1 + (cut % bytes.length)));
    });
  const names = [undefined, 'p1', 'dlms-push', 'hdlc', 'mbus', 'wrapper', 'raw', 'c37118'];
  fc.assert(
    fc.property(
      fc.oneof(mutated, fc.uint8Array({ minLength: 1, maxLength: 600 })),
      fc.constantFrom(...names, 'iec62056-21'),
      (bytes, as) => {
        const keys = { encryption: new Uint8Array(16) };
        try {
          const lines = [...decodeStreams([{ chunks: [bytes] }], { keys, ...(as && { as }) })];
          let end = 0;
          for (const { protocol, offset, length, ok, error } of lines) {
            assert.ok(offset >= 0 && offset + length <= bytes.length, toHex(bytes));
            // An APDU in segments begins before the noise between them.
            assert.ok(offset >= end || protocol === 'dlms-push', toHex(bytes));
            assert.equal(ok, error === undefined);
            const place = error?.offset ?? 0;
            assert.ok(place >= 0 && place <= bytes.length, `${place}: ${toHex(bytes)}`);
            end = offset + length;
          }
        } catch (error) {
          assert.ok(error instanceof OperatingError, String(error));
          assert.equal(error.code, 'not-recognised');
        }
      },
    ),
    { numRuns: runsOf(500) },
  );
});

test('any bytes as an input file are a stream, or refused with a code', () => {
  const heads = ['', 'd4c3b2a1020004000000000000000000ffff000001000000', '0a0d0d0a', '7b226672'];
  fc.assert(
    fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }), (head, tail) => {
      try {
        streamsOf(Buffer.concat([fromHex(head), tail]));
      } catch (error) {
        assert.ok(error instanceof OperatingError, String(error));
      }
    }),
  );
});

test('a session of many frames is taken in one pass', { timeout: 60_000 }, () => {
  const count = 400_000; // with a copy of what came before for each frame, it takes many minutes
  const frames = Array.from({ length: count }, () => ({ dir: 'rx', hex: '7e' }));
  const [stream, ...others] = streamsOf(Buffer.from(JSON.stringify({ frames })));
  assert.deepEqual([stream?.chunks.length, others.length], [count, 0]);
});

test('megabytes of hex are hex, and one other character at their end makes them none', () => {
  const digits = Buffer.alloc(16 << 20, '7e');
  assert.equal(streamsOf(digits)[0]?.chunks[0]?.length, 8 << 20);
  const text = Buffer.concat([digits, Buffer.from('?')]);
  assert.equal(streamsOf(text)[0]?.chunks[0]?.length, text.length);
});

test('what programs print as hex is hex', () => {
  for (const text of ['7e a0', '7E:A0', '0x7e, 0XA0', '7e-a0\r\n', '\t7ea0']) {
    assert.deepEqual(
      streamsOf(bytesFromLatin1(text))[0]?.chunks,
      [Uint8Array.of(0x7e, 0xa0)],
      text,
    );
  }
  for (const text of ['7x', 'x7e', '7e?', '', '7 e', '0x', 'a x7e']) {
    assert.equal(isHexText(text), false, text);
  }
});
