import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc16Arc, crc16X25, crcCcitt } from '#bytes/crc.ts';
import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { bytesFromLatin1, bytesFromUtf8, utf8FromBytes } from '#bytes/text.ts';

const CHECK_INPUT = bytesFromLatin1('123456789');

test('the three checks give their catalogue values for 123456789', () => {
  assert.equal(crc16X25(CHECK_INPUT), 0x906e);
  assert.equal(crc16Arc(CHECK_INPUT), 0xbb3d);
  assert.equal(crcCcitt(CHECK_INPUT), 0x29b1);
});

test('the check of HDLC, eight bytes at a time, is that of one bit at a time', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, start) => {
      let crc = 0xffff;
      for (const byte of bytes.subarray(start)) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x8408);
      }
      assert.equal(crc16X25(bytes, start), crc ^ 0xffff);
    }),
  );
});

test('a reader refuses to read past its end and says where and what', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3));
  assert.equal(reader.u16('length'), 0x0102);
  assert.throws(
    () => reader.u16('count'),
    (error) =>
      error instanceof OperatingError &&
      error.code === 'truncated' &&
      error.offset === 2 &&
      error.field === 'count',
  );
  assert.equal(reader.u8(), 3, 'a refused read takes nothing');
});

test('what a writer wrote a reader reads', () => {
  fc.assert(
    fc.property(
      fc.nat(0xff),
      fc.nat(0xffff),
      fc.nat(0xffffff),
      fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
      fc.double(),
      fc.uint8Array({ maxLength: 300 }),
      (a, b, c, d, e, f) => {
        const bytes = new Writer(1).u8(a).u16(b).u24(c).u64(d).f64(e).bytes(f).finish();
        const reader = new Reader(bytes);
        assert.deepEqual(
          [reader.u8(), reader.u16(), reader.u24(), reader.u64(), reader.f64()],
          [a, b, c, d, e],
        );
        assert.deepEqual(reader.take(reader.remaining), f);
      },
    ),
  );
});

test('hex survives a round trip and a bad digit is named with its place', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)),
  );
  assert.deepEqual(fromHex('0A 0b:0C'), Uint8Array.of(10, 11, 12));
  for (const [text, offset] of [
    ['0g', 1],
    ['0a0', 3],
  ] as const) {
    assert.throws(
      () => fromHex(text),
      (error) => {
        const failure = failureOf(error);
        return failure.code === 'bad-hex' && failure.offset === offset;
      },
    );
  }
});

test('UTF-8 agrees with the platform for every text and for hostile bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.deepEqual(bytesFromUtf8(text), new TextEncoder().encode(text));
      assert.equal(utf8FromBytes(new TextEncoder().encode(text)), text);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const valid = Buffer.from(bytes).toString('utf8').includes('\ufffd');
      assert.equal(utf8FromBytes(bytes).includes('\ufffd'), valid);
    }),
  );
});
