import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { cosemList } from '#protocol/cosem/lists.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import { unitCode, unitSymbol } from '#protocol/cosem/units.ts';
import { DATA_DEPTH_MAX, decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import type { Data, TypeDescription } from '#protocol/dlms/data.ts';
import { DataExtent } from '#protocol/dlms/data-extent.ts';
import { decodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { dateTimeFrom, encodeDateTime } from '#protocol/dlms/date-time.ts';
import { openGeneralCiphering, sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { byteOfSecurityControl, securityControlFrom } from '#protocol/dlms/security.ts';
import { byteOfControl, controlFrom } from '#protocol/hdlc/control.ts';
import { machineAesGcm } from '#system/cipher.ts';

const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

function scalar<Type extends Data['type']>(
  type: Type,
  value: fc.Arbitrary<Extract<Data, { type: Type }>['value']>,
): fc.Arbitrary<Data> {
  return value.map((content) => ({ type, value: content }) as unknown as Data);
}

const int = (bits: number): fc.Arbitrary<number> =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });

const bitStrings = fc
  .uint8Array({ maxLength: 40 })
  .chain((bytes) =>
    fc
      .integer({ min: Math.max(0, bytes.length * 8 - 7), max: bytes.length * 8 })
      .map((bitLength) => ({ bitLength, bytes })),
  );

const scalars: readonly fc.Arbitrary<Data>[] = [
  scalar('null-data', fc.constant(null)),
  scalar('boolean', fc.boolean()),
  scalar('bit-string', bitStrings),
  scalar('double-long', int(32)),
  scalar('double-long-unsigned', uint(32)),
  scalar('octet-string', fc.uint8Array({ maxLength: 300 })),
  scalar(
    'visible-string',
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
  ),
  scalar('utf8-string', fc.string({ unit: 'grapheme' })),
  scalar('bcd', int(8)),
  scalar('integer', int(8)),
  scalar('long', int(16)),
  scalar('unsigned', uint(8)),
  scalar('long-unsigned', uint(16)),
  scalar('long64', fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  scalar('long64-unsigned', fc.bigInt(0n, 2n ** 64n - 1n)),
  scalar('enum', uint(8)),
  scalar('float32', fc.float()),
  scalar('float64', fc.double()),
  scalar('date-time', octets(12)),
  scalar('date', octets(5)),
  scalar('time', octets(4)),
  scalar('delta-integer', int(8)),
  scalar('delta-long', int(16)),
  scalar('delta-double-long', int(32)),
  scalar('delta-unsigned', uint(8)),
  scalar('delta-long-unsigned', uint(16)),
  scalar('delta-double-long-unsigned', uint(32)),
  scalar('dont-care', fc.constant(null)),
];

const compactArray: Data = {
  type: 'compact-array',
  value: {
    description: {
      type: 'structure',
      elements: [
        { type: 'long-unsigned' },
        { type: 'array', count: 2, element: { type: 'octet-string' } },
      ],
    },
    elements: [1, 65535].map((value): Data => ({
      type: 'structure',
      value: [
        { type: 'long-unsigned', value },
        {
          type: 'array',
          value: [
            { type: 'octet-string', value: Uint8Array.of(1, 2) },
            { type: 'octet-string', value: new Uint8Array(0) },
          ],
        },
      ],
    })),
  },
};

const { data } = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    ...scalars,
    fc.constant(compactArray),
    scalar('array', fc.array(tie('data'), { maxLength: 8 })),
    scalar('structure', fc.array(tie('data'), { maxLength: 8 })),
  ),
}));

/** What a hostile input may do: give a value, or an error with a code. */
function survives(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof OperatingError) return error.code;
    throw error;
  }
}

test('every Data survives A-XDR and comes back the same', () => {
  fc.assert(
    fc.property(data, (value) => {
      const bytes = encodeData(value);
      assert.deepEqual(decodeData(bytes), value);
      assert.deepEqual(encodeData(decodeData(bytes)), bytes);
    }),
  );
});

test('every truncation of a Data is an error, never a shorter value', () => {
  fc.assert(
    fc.property(data, (value) => {
      const bytes = encodeData(value);
      for (let length = 0; length < Math.min(bytes.length, 64); length += 1) {
        const code = survives(() => decodeData(bytes.subarray(0, length)));
        assert.ok(code === 'truncated' || code === 'bad-count', `${length}: ${code}`);
      }
    }),
  );
});

test('random and mutated bytes never throw anything but an operating error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      survives(() => cosemList(decodeData(bytes, { attributeDescriptors: true })));
      survives(() => decodeDataNotification(Uint8Array.of(0x0f, 0, 0, 0, 0, 0, ...bytes), true));
      survives(() => openGeneralCiphering(bytes, {}, 'if-key', machineAesGcm));
    }),
  );
  fc.assert(
    fc.property(data, fc.nat(), fc.nat(255), (value, place, byte) => {
      const bytes = encodeData(value).slice();
      bytes[place % bytes.length] = byte;
      survives(() => cosemList(decodeData(bytes)));
    }),
  );
});

test('claims larger than the input are refused before anything is allocated', () => {
  const nested = new Uint8Array(20_000).fill(1);
  assert.equal(
    survives(() => decodeData(nested)),
    'too-deep',
  );
  const deepest = Uint8Array.from([...new Uint8Array(2 * DATA_DEPTH_MAX).fill(1), 0]);
  assert.equal(
    survives(() => decodeData(deepest)),
    undefined,
  );
  for (const container of [1, 2]) {
    const nulls = Uint8Array.of(container, 0x84, 0xff, 0xff, 0xff, 0xff, 0, 0, 0);
    assert.equal(
      survives(() => decodeData(nulls)),
      'bad-count',
    );
  }
  for (const text of [9, 10, 12, 4]) {
    const long = Uint8Array.of(text, 0x84, 0xff, 0xff, 0xff, 0xff);
    assert.equal(
      survives(() => decodeData(long)),
      'truncated',
    );
  }
  assert.equal(
    survives(() => decodeData(Uint8Array.of(9, 0x80))),
    'bad-length',
  );
  assert.equal(
    survives(() => decodeData(Uint8Array.of(9, 0x85, 0, 0, 0, 0, 1))),
    'bad-length',
  );
});

test('where a Data ends is known with its last byte; bytes are looked at a few times', () => {
  fc.assert(
    fc.property(data, (value) => {
      const bytes = encodeData(value);
      let reads = 0;
      const counted = (end: number): Uint8Array =>
        new Proxy(bytes.subarray(0, end), {
          get: (target, key) => {
            if (key !== 'length') reads += 1;
            return Reflect.get(target, key) as unknown;
          },
        });
      const extent = new DataExtent(0, false);
      for (let end = 1; end < bytes.length; end += 1) {
        assert.equal(extent.advance(counted(end)).kind, 'open', `${end} of ${bytes.length}`);
      }
      const last = extent.advance(counted(bytes.length));
      assert.deepEqual(last, { kind: 'whole', end: bytes.length });
      assert.ok(reads <= 8 * bytes.length, `${reads} reads of ${bytes.length} bytes`);
    }),
  );
  for (const bytes of [
    [7],
    [2, 1, 19, 19],
    [9, 0x80],
    [9, 0x85, 1],
    Array(200).fill([2, 1]).flat(),
  ]) {
    const extent = new DataExtent(0, false).advance(Uint8Array.from(bytes as number[]));
    assert.equal(extent.kind, 'refused');
  }
});

test('a compact array cannot claim values that it does not bring', () => {
  const nulls = (depth: number): number[] => Array(depth).fill([1, 0xff, 0xff]).flat() as number[];
  // 65535 × 65535 × 65535 nulls of no bytes each, in one byte of contents.
  const bombs = [
    [[19, ...nulls(3), 0, 1, 0], 'bad-count'],
    [[19, 0, 1, 0], 'bad-count'],
    [[19, 1, 0, 0, 17, 1, 0], 'bad-count'],
    // Each element has a byte, and 999 or 1 998 000 nulls beside it.
    [[19, 2, 2, 1, 3, 0xe7, 0, 17, 1, 0], 'too-many-values'],
    [[19, 2, 2, 1, 3, 0xe7, 1, 3, 0xe6, 0, 17, 1, 0], 'too-many-values'],
  ] as const;
  for (const [bytes, code] of bombs) {
    assert.equal(
      survives(() => decodeData(Uint8Array.from(bytes))),
      code,
    );
  }
  const types = Uint8Array.from([19, ...nulls(100), 0, 0]);
  assert.equal(
    survives(() => decodeData(types)),
    'too-deep',
  );
  assert.equal(
    survives(() => decodeData(Uint8Array.of(19, 19, 0, 0))),
    'unknown-tag',
  );
  const description: TypeDescription = { type: 'unsigned' };
  const none: Data = { type: 'compact-array', value: { description, elements: [] } };
  assert.deepEqual(decodeData(encodeData(none)), none);
});

test('a number that does not fit its type is not encoded', () => {
  for (const value of [-1, 256, Number.NaN]) {
    assert.equal(
      survives(() => encodeData({ type: 'unsigned', value })),
      'out-of-range',
    );
  }
  assert.equal(
    survives(() => encodeData({ type: 'long64', value: 2n ** 63n })),
    'out-of-range',
  );
});

test('date-times, OBIS codes, units, control and security fields come back the same', () => {
  const open = fc.integer({ min: 0, max: 99 });
  fc.assert(
    fc.property(open, open, fc.integer({ min: -720, max: 840 }), (year, hundredths, deviation) => {
      const dateTime = { year: 2000 + year, month: 2, day: 28, hundredths, deviation };
      assert.deepEqual(dateTimeFrom(encodeDateTime(dateTime)), dateTime);
    }),
  );
  fc.assert(fc.property(octets(6), (name) => assert.deepEqual(obisFrom(obisText(name)), name)));
  for (const text of ['', '1.8.0', '1-0:1.8.0*256', '1-0:1.8.0*255 ', 'x-0:1.8.0*255']) {
    assert.equal(
      survives(() => obisFrom(text)),
      'bad-obis',
    );
  }
  for (let byte = 0; byte < 256; byte += 1) {
    assert.equal(byteOfControl(controlFrom(byte)), byte);
    assert.equal(byteOfSecurityControl(securityControlFrom(byte)), byte);
    const symbol = unitSymbol(byte);
    if (!symbol.startsWith('unit-')) assert.equal(unitSymbol(unitCode(symbol) ?? -1), symbol);
  }
});

test('sealed text opens with its keys and with no others', () => {
  const key = fc.constantFrom(16, 32).chain(octets);
  const control = fc.constantFrom(0x10, 0x20, 0x30, 0x31, 0x32).map(securityControlFrom);
  fc.assert(
    fc.property(
      key,
      key,
      octets(8),
      uint(32),
      control,
      fc.uint8Array({ maxLength: 200 }),
      (encryption, authentication, systemTitle, invocationCounter, securityControl, rest) => {
        const plaintext = Uint8Array.of(0x0f, ...rest);
        const keys = { encryption, authentication };
        const apdu = sealGeneralCiphering(plaintext, {
          systemTitle,
          securityControl,
          invocationCounter,
          keys,
          cipher: machineAesGcm,
        });
        const opened = openGeneralCiphering(apdu, keys, 'if-key', machineAesGcm);
        assert.deepEqual(Uint8Array.from(opened.plaintext), plaintext);
        assert.equal(opened.verified, securityControl.authenticated);
        assert.equal(opened.invocationCounter, invocationCounter);
        if (!securityControl.authenticated) return;
        const bad = Uint8Array.from(authentication, (byte) => byte ^ 1);
        const wrong = { encryption, authentication: bad };
        assert.throws(
          () => openGeneralCiphering(apdu, wrong, 'require', machineAesGcm),
          (error) => /^wrong-(authentication-)?key$/.test(failureOf(error).code),
        );
      },
    ),
  );
});
