import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { type DataValue, dataSetsOf, objectOf } from '#protocol/iec62056-21/data-set.ts';
import { decodeReadout } from '#protocol/iec62056-21/readout.ts';
import { P1Connection, type P1Options } from '#protocol/p1/connection.ts';
import { type P1Telegram, decodeP1Telegram } from '#protocol/p1/telegram.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import { openGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { observationFromP1, observationFromReadout } from '#reading/from-p1.ts';
import { type Reading, type TimeMark, valueOf } from '#reading/reading.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { type MeterVector, meterVectors, withoutVectors } from '../support/vectors.ts';

const ARRIVAL: TimeMark = {
  second: 1_795_219_200,
  nanosecond: 0,
  clock: 'gateway',
  trust: 'trusted',
};
/** Later than any pause within a telegram. */
const SILENCE_MS = 10_000;

const telegrams = meterVectors('dlms/push', ['p1/telegram']);
const encrypted = meterVectors('dlms/push', ['p1/encrypted']);
const readouts = meterVectors('dlms/push', ['d0/readout']);

type Events = readonly ConnectionEvent<P1Telegram>[];

function received(bytes: Uint8Array, size: number, options: P1Options = {}): Events {
  const connection = new P1Connection(options);
  connection.start(0);
  const events: ConnectionEvent<P1Telegram>[] = [];
  for (let index = 0; index < bytes.length; index += size) {
    events.push(...connection.receive(bytes.subarray(index, index + size), 0).events);
  }
  events.push(...connection.expire(SILENCE_MS).events);
  return events;
}

function messages(events: Events): readonly P1Telegram[] {
  return events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
}

/** Vectors may begin with an empty line. */
function telegramBytes(vector: MeterVector): Uint8Array {
  const bytes = fromHex(vector.hex);
  return bytes.subarray(bytes.indexOf(0x2f));
}

function numberOf(readings: readonly Reading[], object: string): number | undefined {
  const reading = readings.find((one) => one.object === object);
  return reading === undefined ? undefined : Number(valueOf(reading));
}

/** What the source of these vectors asserts; its times are local times written as if UTC. */
interface Expected {
  readonly dsmr?: { readonly header: { xxx: string; z: string; identifier: string } };
  readonly cosem?: { readonly knownObjects: string[]; readonly unknownObjects: string[] };
  readonly metadata?: { readonly timestamp?: string; readonly equipmentId?: string };
  readonly electricity?: {
    readonly tariffs?: Record<string, { received?: number; returned?: number }>;
    readonly powerReceivedTotal?: number;
    readonly powerReturnedTotal?: number;
    readonly voltage?: Record<string, number>;
    readonly current?: Record<string, number>;
  };
  readonly mBus?: Record<string, { timestamp?: string; value?: number; unit?: string }>;
  readonly crcValid?: boolean;
}

test('there are P1 vectors of every kind', { skip: withoutVectors }, () => {
  assert.deepEqual([telegrams.length, encrypted.length, readouts.length], [32, 1, 1]);
});

for (const vector of telegrams) {
  const { id } = vector;
  const check = vector.check as { p1Crc: string | null; crcOk: boolean | null };
  const verdict = check.crcOk === null ? 'absent' : check.crcOk ? 'good' : 'bad';
  const expected = (vector.expected ?? {}) as Expected;

  test(`${id}: every line is an object, and the CRC is ${verdict}`, () => {
    const telegram = decodeP1Telegram(telegramBytes(vector));
    assert.equal(telegram.check, verdict);
    assert.deepEqual(telegram.unread, []);
    if (expected.crcValid !== undefined) assert.equal(telegram.check === 'good', expected.crcValid);
    const lines = Buffer.from(telegramBytes(vector)).toString('latin1').split('\r\n');
    const addressed = lines.filter((line) => /^[^/!(]+\(/.test(line));
    assert.equal(telegram.objects.length, addressed.length);
  });

  test(`${id}: objects, values and times are what its source asserts`, () => {
    const telegram = decodeP1Telegram(telegramBytes(vector));
    const { readings } = observationFromP1('meter', telegram, ARRIVAL);
    assertHeader(telegram, expected);
    assertObjects(telegram, expected);
    assertElectricity(readings, expected.electricity ?? {});
    assertMbus(readings, expected.mBus ?? {});
    const timestamp = Date.parse(expected.metadata?.timestamp ?? '');
    if (telegram.time !== undefined && !Number.isNaN(timestamp)) {
      assert.equal(telegram.time.localSecond, timestamp / 1000);
    }
  });

  test(`${id}: the same comes of it in every chunk size`, () => {
    const bytes = fromHex(vector.hex);
    const whole = JSON.stringify(received(bytes, bytes.length));
    for (let size = 1; size < bytes.length; size += 1) {
      assert.equal(JSON.stringify(received(bytes, size)), whole, `chunks of ${size}`);
    }
  });

  test(`${id}: no truncation yields anything but discarded bytes or the whole of it`, () => {
    const bytes = telegramBytes(vector);
    const { objects } = decodeP1Telegram(bytes);
    for (let length = 1; length < bytes.length; length += 1) {
      const events = received(bytes.subarray(0, length), length);
      for (const telegram of messages(events)) assert.deepEqual(telegram.objects, objects);
    }
  });
}

function assertHeader(telegram: P1Telegram, { dsmr }: Expected): void {
  if (dsmr === undefined) return;
  assert.equal(telegram.manufacturer, dsmr.header.xxx);
  assert.equal(telegram.identification, dsmr.header.identifier);
}

function assertObjects(telegram: P1Telegram, { cosem }: Expected): void {
  for (const line of [...(cosem?.knownObjects ?? []), ...(cosem?.unknownObjects ?? [])]) {
    const [set] = dataSetsOf(line);
    assert.ok(set, line);
    const holds = (values: readonly DataValue[]): boolean =>
      set.values.every((value, index) => JSON.stringify(value) === JSON.stringify(values[index]));
    assert.ok(
      telegram.objects.some(
        ({ object, values }) => object === objectOf(set.address) && holds(values),
      ),
      line,
    );
  }
}

/** The source gives energies in Wh and powers in W. */
function assertElectricity(
  readings: readonly Reading[],
  electricity: NonNullable<Expected['electricity']>,
): void {
  const kilo = (object: string): number | undefined => {
    const [one] = [0, 1].flatMap((b) => numberOf(readings, `1-${b}:${object}*255`) ?? []);
    return one === undefined ? undefined : Math.round(one * 1000);
  };
  for (const [tariff, { received: taken, returned }] of Object.entries(electricity.tariffs ?? {})) {
    if (taken !== undefined) assert.equal(kilo(`1.8.${tariff}`), taken);
    if (returned !== undefined) assert.equal(kilo(`2.8.${tariff}`), returned);
  }
  const { powerReceivedTotal, powerReturnedTotal } = electricity;
  if (powerReceivedTotal !== undefined) assert.equal(kilo('1.7.0'), powerReceivedTotal);
  if (powerReturnedTotal !== undefined) assert.equal(kilo('2.7.0'), powerReturnedTotal);
  for (const [first, phases] of [
    [32, electricity.voltage],
    [31, electricity.current],
  ] as const) {
    for (const [phase, value] of Object.entries(phases ?? {})) {
      const c = first + 20 * (Number(phase.slice(1)) - 1);
      assert.equal(numberOf(readings, `1-0:${c}.7.0*255`), value);
    }
  }
}

function assertMbus(readings: readonly Reading[], mBus: NonNullable<Expected['mBus']>): void {
  for (const [channel, { timestamp, value, unit }] of Object.entries(mBus)) {
    if (value === undefined) continue;
    const reading = readings.find(({ object }) =>
      new RegExp(`^0-${channel}:24\\.2\\.[13]\\*255$`).test(object),
    );
    assert.ok(reading, channel);
    assert.deepEqual([valueOf(reading), reading.unit], [value, unit]);
    if (timestamp === undefined) continue;
    const { second, localOffsetMin = 60 } = reading.time ?? ARRIVAL;
    assert.equal(second + localOffsetMin * 60, Date.parse(timestamp) / 1000);
  }
}

test('after any damaged byte the next telegram is read', { skip: withoutVectors }, () => {
  const [good] = telegrams.filter(({ id }) => id.endsWith('dsmr-5.0-isk-1'));
  assert.ok(good);
  const bytes = telegramBytes(good);
  const end = bytes.length - 2; // what follows the CRC is not covered by it
  for (let place = 0; place < end; place += 1) {
    for (const mask of [0x01, 0x08, 0x20, 0x80, 0xff]) {
      const stream = new Uint8Array(bytes.length * 2);
      stream.set(bytes);
      stream.set(bytes, bytes.length);
      stream[place] = (stream[place] ?? 0) ^ mask;
      const events = received(stream, 256);
      const whole = events.filter(({ kind }) => kind === 'message');
      assert.equal(whole.length, sameInHex(bytes, place, mask) ? 2 : 1, `${place} ^ ${mask}`);
      const last = events.at(-1);
      assert.ok(last?.kind === 'message' && last.offset === bytes.length);
    }
  }
});

/** A CRC in lower case is the same CRC. */
function sameInHex(bytes: Uint8Array, place: number, mask: number): boolean {
  const byte = String.fromCharCode(bytes[place] ?? 0);
  const inCrc = place >= bytes.length - 6;
  return inCrc && mask === 0x20 && /[A-F]/.test(byte);
}

for (const vector of encrypted) {
  const key = fromHex(vector.keys?.guek ?? '');
  const ciphering = { keys: { encryption: key }, cipher: machineAesGcm };
  const bytes = fromHex(vector.hex);

  test(`${vector.id}: the plaintext is the one expected`, () => {
    const beginsLikeP1 = (text: Uint8Array): boolean => text[0] === 0x2f;
    const opened = openGeneralCiphering(
      bytes,
      { encryption: key },
      'if-key',
      machineAesGcm,
      beginsLikeP1,
    );
    assert.deepEqual(
      Buffer.from(opened.plaintext),
      Buffer.from(fromHex(String(vector.expected?.['plaintext_hex']))),
    );
  });

  test(`${vector.id}: it is read in every chunk size, marked as unverified`, () => {
    // The specification's example carries a CRC that does not fit its text.
    const options: P1Options = { ciphering, badCheck: 'mark' };
    const [telegram] = messages(received(bytes, bytes.length, options));
    assert.equal(telegram?.ciphered?.verified, false);
    const { quality, readings } = observationFromP1('meter', telegram, ARRIVAL);
    assert.deepEqual(quality, ['unverified', 'questionable']);
    assert.equal(numberOf(readings, '1-0:1.8.0*255'), 25.653);
    assert.equal(numberOf(readings, '0-4:24.2.1*255'), 28.103);
    const whole = JSON.stringify(received(bytes, bytes.length, options));
    for (let size = 1; size < bytes.length; size += 1) {
      assert.equal(JSON.stringify(received(bytes, size, options)), whole);
    }
    const codes = received(bytes, bytes.length, { ciphering }).map((event) => failure(event));
    assert.deepEqual(codes, ['bad-crc']);
  });

  test(`${vector.id}: a wrong key is called one, and so is none`, () => {
    const wrong = { keys: { encryption: new Uint8Array(16) }, cipher: machineAesGcm };
    assert.equal(failure(received(bytes, 100, { ciphering: wrong })[0]), 'wrong-key');
    assert.equal(failure(received(bytes, 100)[0]), 'key-missing');
  });

  test(`${vector.id}: after a damaged or shortened one the next is read`, () => {
    const options: P1Options = { ciphering, badCheck: 'mark' };
    for (const first of [bytes.subarray(0, 700), bytes.subarray(1), bytes.with(1, 9)]) {
      const stream = Buffer.concat([first, bytes]);
      const whole = received(stream, 512, options).filter(({ kind }) => kind === 'message');
      assert.deepEqual(
        whole.map((event) => event.kind === 'message' && event.offset),
        [first.length],
      );
    }
  });
}

function failure(event: ConnectionEvent<P1Telegram> | undefined): string | undefined {
  return event === undefined || event.kind === 'message' ? undefined : event.failure.code;
}

for (const vector of readouts) {
  test(`${vector.id}: its data sets are the ones expected, its check does not fit`, () => {
    const bytes = fromHex(vector.hex);
    const readout = decodeReadout(bytes);
    const { manufacturer, count, values } = vector.expected as {
      manufacturer: string;
      count: number;
      values: Record<string, string | { value: number; unit: string }>;
    };
    assert.equal(readout.manufacturer, manufacturer);
    assert.equal(readout.dataSets.length, count);
    const { readings, quality } = observationFromReadout('meter', readout, ARRIVAL);
    assert.deepEqual(quality, ['questionable']); // it was made anonymous after it was caught
    for (const [object, expected] of Object.entries(values)) {
      const reading = readings.find((one) => one.object === object);
      assert.ok(reading);
      const { value, unit } =
        typeof expected === 'string' ? { value: expected, unit: '' } : expected;
      assert.deepEqual([valueOf(reading), reading.unit], [value, unit]);
    }
  });

  test(`${vector.id}: every truncation is a typed error with its place`, () => {
    const bytes = fromHex(vector.hex);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(
        () => decodeReadout(bytes.subarray(0, length)),
        ({ code, offset }: { code: string; offset: number }) =>
          code === 'truncated' && offset === length,
      );
    }
  });
}
