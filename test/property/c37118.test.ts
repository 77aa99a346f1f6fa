import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crcCcitt } from '#bytes/crc.ts';
import { OperatingError } from '#bytes/failure.ts';
import { C37118Client } from '#protocol/c37118/client.ts';
import {
  decodeCommand,
  decodeHeader,
  encodeCommand,
  encodeHeader,
} from '#protocol/c37118/command.ts';
import { decodeConfiguration, encodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import type { Configuration, PmuConfiguration } from '#protocol/c37118/configuration.ts';
import { readDataByTable, writeDataByTable } from '#protocol/c37118/data-table.ts';
import {
  type DataFrame,
  type DataLayout,
  dataLayoutOf,
  newDataFrame,
  readData,
  writeData,
} from '#protocol/c37118/data.ts';
import { FRAME_BYTES_MAX, type FrameHead, checkFrame } from '#protocol/c37118/frame.ts';
import { C37118Framer } from '#protocol/c37118/framer.ts';
import { decodeMessage } from '#protocol/c37118/message.ts';
import { channelsOfC37118, observationsFromC37118 } from '#reading/from-c37118.ts';
import { framedInChunks } from '../support/c37118.ts';

function record<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const f32 = fc.float({ noNaN: true });
const i16 = fc.integer({ min: -32768, max: 32767 });
/** Pads of spaces and NULs are not part of a name, and Latin-1 is not told from UTF-8. */
const nameOf = (length: number) =>
  fc.string({ maxLength: length }).map((text) => text.replace(/[\s\0]+$/, ''));

const headOf = (kind: FrameHead['kind']): fc.Arbitrary<FrameHead> =>
  record({
    kind: fc.constant(kind),
    version: fc.nat(15),
    idCode: u16,
    second: u32,
    fraction: fc.nat(0xff_ffff),
    timeQuality: u8,
  });

const format = record({
  polar: fc.boolean(),
  floatPhasors: fc.boolean(),
  floatAnalogs: fc.boolean(),
  floatFrequency: fc.boolean(),
});

function pmuOf(third: boolean): fc.Arbitrary<PmuConfiguration> {
  const name = nameOf(third ? 40 : 16);
  const phunit = record({ kind: fc.constant('phunit' as const), factor: fc.nat(0xff_ffff) });
  const phscale = record({
    kind: fc.constant('phscale' as const),
    factor: f32,
    angleOffset: f32,
    modifications: u16,
    component: fc.nat(7),
    user: u8,
  });
  const anunit = record({
    kind: fc.constant('anunit' as const),
    type: u8,
    factor: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
  });
  const anscale = record({ kind: fc.constant('anscale' as const), factor: f32, offset: f32 });
  const phasor = record({
    name,
    quantity: fc.constantFrom('voltage' as const, 'current' as const),
    scale: third ? phscale : phunit,
  });
  const analog = record({ name, scale: third ? anscale : anunit });
  const names = fc.array(name, { minLength: 16, maxLength: 16 });
  const digital = record({ names, normalMask: u16, validMask: u16 });
  const site = record({
    globalId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    latitude: f32,
    longitude: f32,
    elevation: f32,
    serviceClass: fc.constantFrom('M', 'P'),
    window: fc.integer(),
    groupDelay: fc.integer(),
  });
  return record({
    stationName: name,
    idCode: u16,
    format,
    phasors: fc.array(phasor, { maxLength: 5 }),
    analogs: fc.array(analog, { maxLength: 4 }),
    digitals: fc.array(digital, { maxLength: 2 }),
    nominalFrequency: fc.constantFrom(50 as const, 60 as const),
    changeCount: u16,
    ...(third ? { site } : {}),
  });
}

function configurationOf(
  kind: 'configuration-1' | 'configuration-2' | 'configuration-3',
): fc.Arbitrary<Configuration> {
  return record({
    head: headOf(kind),
    timeBase: fc.integer({ min: 1, max: 0xff_ffff }),
    pmus: fc.array(pmuOf(kind === 'configuration-3'), { maxLength: 4 }),
    dataRate: i16,
  });
}

const anyConfiguration = fc.oneof(
  configurationOf('configuration-1'),
  configurationOf('configuration-2'),
  configurationOf('configuration-3'),
);

/** Random bytes where values stand: every bit pattern is a value of its format. */
const anyData = fc
  .tuple(anyConfiguration, fc.uint8Array({ minLength: 97, maxLength: 97 }))
  .map(([configuration, noise]) => {
    const layout = dataLayoutOf(configuration);
    const data = newDataFrame(layout);
    Object.assign(data, { second: 0x6000_0000, fraction: 77, timeQuality: 0x16 });
    const bytes = writeData(layout, data).slice();
    for (let at = 14; at < bytes.length - 2; at += 1) bytes[at] = noise[at % noise.length] ?? 0;
    return { layout, bytes: sealed(bytes) };
  });

/** The same bytes with a CHK that is right. */
function sealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 2;
  const check = crcCcitt(bytes, 0, end);
  bytes[end] = check >>> 8;
  bytes[end + 1] = check & 0xff;
  return bytes;
}

test('any configuration survives a round trip', () => {
  fc.assert(
    fc.property(anyConfiguration, (configuration) => {
      const frame = checkFrame(encodeConfiguration(configuration));
      assert.deepEqual(decodeConfiguration(frame), configuration);
    }),
  );
});

test('commands with any extension, and headers, survive a round trip', () => {
  const extension = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(headOf('command'), u16, extension, (head, command, extra) => {
      const made = { head, command, extension: extra };
      assert.deepEqual(decodeCommand(checkFrame(encodeCommand(made))), made);
    }),
  );
  fc.assert(
    fc.property(headOf('header'), fc.string({ unit: 'grapheme' }), (head, text) => {
      assert.deepEqual(decodeHeader(checkFrame(encodeHeader({ head, text }))), { head, text });
    }),
  );
});

test('the straight-line reader and writer of DATA are those of the table', () => {
  fc.assert(
    fc.property(anyData, ({ layout, bytes }) => {
      const frame = checkFrame(bytes);
      const data = readData(layout, frame);
      assert.deepEqual(plain(data), plain(readDataByTable(layout, frame)));
      if (hasNaN(data)) return; // which of the many NaN it was is not kept
      assert.deepEqual(writeData(layout, data), bytes);
      assert.deepEqual(writeDataByTable(layout, data), bytes);
    }),
  );
});

/** With arrays of numbers, where one NaN is as good as another. */
function plain({ phasors, analogs, frequency, ...rest }: DataFrame) {
  return { ...rest, phasors: [...phasors], analogs: [...analogs], frequency: [...frequency] };
}

function hasNaN({ phasors, analogs, frequency }: DataFrame): boolean {
  return [...phasors, ...analogs, ...frequency].some(Number.isNaN);
}

test('observations hold exactly the channels that the configuration lists', () => {
  fc.assert(
    fc.property(anyData, ({ layout, bytes }) => {
      const data = readData(layout, checkFrame(bytes));
      const observations = observationsFromC37118('pmu', data, layout);
      assert.equal(observations.length, layout.pmus.length);
      const objects = observations.flatMap(({ readings }) => readings.map(({ object }) => object));
      const listed = channelsOfC37118(layout.configuration).map(({ object }) => object);
      assert.deepEqual(objects, listed);
      assert.equal(new Set(objects).size, objects.length, 'no name twice');
      assert.ok(objects.every((object) => /^[A-Za-z0-9][A-Za-z0-9:./_-]*$/.test(object)));
    }),
  );
});

test('eight bytes at a time give the check of one at a time', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, start) => {
      let crc = 0xffff;
      for (const byte of bytes.subarray(start)) {
        crc ^= byte << 8;
        for (let bit = 0; bit < 8; bit += 1)
          crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x11021);
      }
      assert.equal(crcCcitt(bytes, start), crc);
    }),
  );
});

function onlyOperatingErrors(work: () => void): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof OperatingError, String(error));
  }
}

const changes = fc.array(fc.tuple(fc.nat(), u8), { minLength: 1, maxLength: 6 });

test('a mutated frame with a right CHK is read or refused, never more', () => {
  fc.assert(
    fc.property(
      anyConfiguration,
      anyData,
      changes,
      (configuration, { layout, bytes }, mutations) => {
        for (const original of [encodeConfiguration(configuration), bytes]) {
          const mutated = original.slice();
          for (const [place, value] of mutations) {
            const at = place % mutated.length;
            if (at !== 2 && at !== 3) mutated[at] = value;
          }
          sealed(mutated);
          onlyOperatingErrors(() => {
            const message = decodeMessage(checkFrame(mutated), layout);
            if (message.kind === 'configuration') dataLayoutOf(message.configuration);
          });
        }
      },
    ),
  );
});

test('random bytes with a right CHK are read or refused by every decoder', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.uint8Array({ minLength: 16, maxLength: 400 }), (kind, bytes) => {
      bytes.set([0xaa, (kind << 4) | 1, bytes.length >>> 8, bytes.length & 0xff]);
      onlyOperatingErrors(() => decodeMessage(checkFrame(sealed(bytes)), EMPTY));
    }),
  );
});

const EMPTY: DataLayout = dataLayoutOf({
  head: { kind: 'configuration-2', version: 1, idCode: 1, second: 0, fraction: 0, timeQuality: 0 },
  timeBase: 1,
  pmus: [],
  dataRate: 1,
});

test('counts beyond the frame are refused before anything is allocated', () => {
  const claimed = encodeConfiguration({ ...EMPTY.configuration, timeBase: 1_000_000 });
  claimed.set([0xff, 0xff], 18); // NUM_PMU
  assert.throws(() => decodeConfiguration(checkFrame(sealed(claimed))), {
    code: 'truncated',
    field: 'PMU',
    offset: 20,
  });
});

/** Frames and noise by turns; noise holds no byte that could begin a frame. */
const mixed = fc.array(
  fc.oneof(
    anyData.map(({ bytes }) => ({ frame: bytes })),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => ({
      noise: bytes.map((byte) => (byte === 0xaa ? 0 : byte)),
    })),
  ),
  { maxLength: 8 },
);

test('frames come out of noise whatever the chunks, and every byte is accounted for', () => {
  fc.assert(
    fc.property(mixed, fc.integer({ min: 1, max: 200 }), (parts, size) => {
      const bytes = new Uint8Array(
        Buffer.concat(parts.map((part) => ('frame' in part ? part.frame : part.noise))),
      );
      const found = framedInChunks(bytes, size);
      const frames = found.flatMap((one) => (one.kind === 'frame' ? [one.frame.bytes] : []));
      assert.deepEqual(
        frames,
        parts.flatMap((part) => ('frame' in part ? [part.frame] : [])),
      );
      let offset = 0;
      for (const piece of found) {
        assert.equal(piece.offset, offset);
        offset += piece.kind === 'frame' ? piece.frame.bytes.length : piece.length;
      }
      assert.equal(offset, bytes.length);
    }),
  );
});

test('hostile bytes neither break a client nor make a framer hold more than a frame', () => {
  const hostile = fc.array(fc.oneof(fc.constant(0xaa), fc.constant(1), u8), { maxLength: 600 });
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 6 }), (chunks) => {
      const client = new C37118Client({ idCode: 1 });
      client.start(0);
      for (const chunk of chunks) client.receive(Uint8Array.from(chunk), 1);
      client.expire(client.deadline);
    }),
  );
  const framer = new C37118Framer();
  const heads = new Uint8Array(65_536);
  for (let at = 0; at < heads.length; at += 4) heads.set([0xaa, 1, 0xff, 0xff], at);
  for (let round = 0; round < 16; round += 1) {
    framer.push(heads);
    assert.ok(framer.pending < FRAME_BYTES_MAX);
  }
});
