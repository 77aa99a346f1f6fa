import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { decimalOf } from '#protocol/iec62056-21/data-set.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import { sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { securityControlFrom } from '#protocol/dlms/security.ts';
import { P1Connection, type P1Options } from '#protocol/p1/connection.ts';
import { type P1Telegram, TELEGRAM_BYTES_MAX, decodeP1Telegram } from '#protocol/p1/telegram.ts';
import { p1TimeOf, p1TimeText } from '#protocol/p1/time.ts';
import { observationFromP1 } from '#reading/from-p1.ts';
import type { Reading, TimeMark } from '#reading/reading.ts';
import { p1TelegramAt, startP1Meter } from '#sim/p1-meter.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineAesGcm } from '#system/cipher.ts';

const ARRIVAL: TimeMark = { second: 0, nanosecond: 0, clock: 'gateway', trust: 'untrusted' };

function started(options: P1Options = {}): P1Connection {
  const connection = new P1Connection(options);
  connection.start(0);
  return connection;
}

function messagesOf(events: readonly ConnectionEvent<P1Telegram>[]): readonly P1Telegram[] {
  return events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
}

function telegram(lines: readonly string[]): Uint8Array {
  return bytesFromLatin1(['/NRM5test', '', ...lines, '!', ''].join('\r\n'));
}

function readingsOf(lines: readonly string[], zoneOffsetMin?: number): readonly Reading[] {
  const zone = zoneOffsetMin === undefined ? {} : { zoneOffsetMin };
  return observationFromP1('p1', decodeP1Telegram(telegram(lines)), ARRIVAL, zone).readings;
}

test('a decimal keeps every digit that was written', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{1,20}$/), fc.stringMatching(/^\d{0,9}$/), (a, b) => {
      const decimal = decimalOf(b === '' ? a : `${a}.${b}`);
      assert.ok(decimal);
      assert.equal(BigInt(decimal.raw), BigInt(a + b));
      assert.equal(decimal.scaler, b === '' ? 0 : -b.length);
    }),
  );
  for (const text of ['', '.', '1.', '.5', '1,5', '0x10', ' 1', '1e3', '--1']) {
    assert.equal(decimalOf(text), undefined, text);
  }
});

test('a P1 time survives the round trip, and a date that does not exist is none', () => {
  const range = { min: Date.UTC(2000, 0) / 1000, max: Date.UTC(2100, 0) / 1000 - 1 };
  fc.assert(
    fc.property(fc.integer(range), fc.option(fc.boolean()), (localSecond, flag) => {
      const time = flag === null ? { localSecond } : { localSecond, summer: flag };
      assert.deepEqual(p1TimeOf(p1TimeText(time)), time);
    }),
  );
  for (const text of ['632525252525W', '250000000000W', '230229120000W', '230101240000S', '2301']) {
    assert.equal(p1TimeOf(text), undefined, text);
  }
});

test('the flag tells summer from winter time, in the zone that is set', () => {
  const [winter, summer, unknown] = ['W', 'S', ''].map(
    (flag) => readingsOf([`0-1:24.2.1(261025023000${flag})(00001.000*m3)`])[0]?.time,
  );
  const localSecond = Date.UTC(2026, 9, 25, 2, 30) / 1000;
  assert.deepEqual(winter, {
    second: localSecond - 3600,
    nanosecond: 0,
    clock: 'device',
    trust: 'trusted',
    localOffsetMin: 60,
  });
  assert.deepEqual([summer?.second, summer?.localOffsetMin], [localSecond - 7200, 120]);
  assert.deepEqual([unknown?.trust, unknown?.localOffsetMin], ['untrusted', undefined]);
  const [irish] = readingsOf(['0-1:24.2.1(261025023000W)(00001.000*m3)'], 0);
  assert.equal(irish?.time?.second, localSecond);
});

test('values become readings as they were written', () => {
  const readings = readingsOf([
    '1-0:1.8.1(00060995.424*kWh)',
    '0-0:96.14.0(0002)',
    '0-0:96.7.21(00015)',
    '1-0:13.7.0(4.556)',
    '1-1:31.4.0(100*A)(-063*A)',
    '1-0:99.97.0(1)(0-0:96.7.19)(190326095015W)(0000002014*s)',
    '0-2:24.2.1(632525252525S)(00000.000)',
  ]);
  assert.deepEqual(readings, [
    { object: '1-0:1.8.1*255', raw: 60_995_424, scaler: -3, unit: 'kWh' },
    { object: '0-0:96.14.0*255', raw: '0002', scaler: 0, unit: '' },
    { object: '0-0:96.7.21*255', raw: 15, scaler: 0, unit: '' },
    { object: '1-0:13.7.0*255', raw: 4556, scaler: -3, unit: '' },
    { object: '1-1:31.4.0*255', raw: '(100*A)(-063*A)', scaler: 0, unit: '' },
    {
      object: '1-0:99.97.0*255',
      raw: '(1)(0-0:96.7.19)(190326095015W)(0000002014*s)',
      scaler: 0,
      unit: '',
    },
    { object: '0-2:24.2.1*255', raw: 0, scaler: -3, unit: '', quality: ['clock-invalid'] },
  ]);
});

test('a gas reading of DSMR 2 and 3 stands on two lines', () => {
  const [reading] = readingsOf([
    '0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)',
    '(00001.001)',
  ]);
  assert.deepEqual(reading, {
    object: '0-1:24.2.1*255',
    raw: 1001,
    scaler: -3,
    unit: 'm3',
    time: {
      second: Date.UTC(2009, 1, 12, 15) / 1000,
      nanosecond: 0,
      clock: 'device',
      trust: 'untrusted',
    },
  });
});

test('a load profile whose period or count cannot be stays the text that was sent', () => {
  for (const period of ['1e12', '0', '44641', '-60', '', '100000', '0x3c', '60.0']) {
    const text = `(090212160000)(00)(${period})(2)(0-1:24.2.1)(m3)(00001.001)(00002.002)`;
    const readings = readingsOf([`0-1:24.3.0${text}`]);
    assert.deepEqual(readings, [{ object: '0-1:24.3.0*255', raw: text, scaler: 0, unit: '' }]);
  }
  const monthly = '0-1:24.3.0(090212160000)(00)(44640)(1)(0-1:24.2.1)(m3)(00001.001)';
  assert.equal(readingsOf([monthly])[0]?.object, '0-1:24.2.1*255');
});

test('a telegram whose clock shows no date has the time of its arrival, and says why', () => {
  const decoded = decodeP1Telegram(telegram(['0-0:1.0.0(250000000000W)']));
  const { time, quality } = observationFromP1('p1', decoded, ARRIVAL);
  assert.deepEqual([time, quality], [ARRIVAL, ['clock-invalid']]);
});

test('random bytes make no telegram, and the next good one is read', () => {
  const good = p1TelegramAt(1_795_219_200, 0);
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc
      .constantFrom('/AAA', '/AAA5\r\n', '\r\n!', '!', '\xdb\x08', '\xdb\x08titletit\x82\x3f\xff')
      .map(bytesFromLatin1),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), fc.integer({ min: 1, max: 700 }), (junk, n) => {
      // A line break, so that a telegram that has begun in the junk ends there.
      const stream = Buffer.concat([...junk, bytesFromLatin1('\r\n'), good]);
      const connection = started();
      const events: ConnectionEvent<P1Telegram>[] = [];
      for (let index = 0; index < stream.length; index += n) {
        events.push(...connection.receive(stream.subarray(index, index + n), 0).events);
      }
      events.push(...connection.expire(connection.deadline).events);
      const checked = messagesOf(events).filter(({ check }) => check === 'good');
      assert.equal(checked.length, 1);
      assertInOrder(events, stream.length);
    }),
  );
});

/** Events cover the stream in order and never twice. */
function assertInOrder(events: readonly ConnectionEvent<P1Telegram>[], length: number): void {
  let offset = 0;
  for (const event of events) {
    if (event.kind === 'stalled') continue;
    assert.ok(event.offset >= offset && event.length > 0);
    offset = event.offset + event.length;
  }
  assert.ok(offset <= length);
}

test('however long a flood is, no more than a frame of it is held', () => {
  for (const unit of ['/AAA', '/AAA5\r\n', '/AAA5\r\nx', 'x', '\xdb\x08', '\xdb\x08titletit\x10']) {
    const flood = bytesFromLatin1(unit.repeat(200_000 / unit.length));
    const connection = started();
    const { events } = connection.receive(flood, 0);
    const last = events.findLast((event) => event.kind === 'discarded');
    assert.ok(last, unit);
    assert.ok(flood.length - (last.offset + last.length) <= TELEGRAM_BYTES_MAX + 64, unit);
  }
});

test('what was ciphered is deciphered and verified; damage is told from a wrong key', () => {
  const keys = {
    encryption: new Uint8Array(16).fill(1),
    authentication: new Uint8Array(16).fill(2),
  };
  const plain = p1TelegramAt(1_795_219_200, 0);
  const seal = (invocationCounter: number): Uint8Array =>
    sealGeneralCiphering(plain, {
      systemTitle: bytesFromLatin1('NRMtitle'),
      securityControl: securityControlFrom(0x30),
      invocationCounter,
      keys,
      cipher: machineAesGcm,
    });
  const connection = started({ ciphering: { keys, cipher: machineAesGcm, policy: 'require' } });
  const damaged = seal(2);
  damaged[300] = (damaged[300] ?? 0) ^ 1;
  const stream = Buffer.concat([seal(1), damaged, seal(3)]);
  const { events } = connection.receive(stream, 0);
  assert.deepEqual(
    messagesOf(events).map(({ ciphered }) => ciphered?.verified),
    [true, true],
  );
  const [bad] = events.filter(({ kind }) => kind === 'discarded');
  assert.equal(bad?.kind === 'discarded' && bad.failure.code, 'bad-tag');
});

test('a meter that falls silent within a telegram is given up, and later its link', () => {
  const connection = started({ silentMs: 60_000 });
  const whole = p1TelegramAt(1_795_219_200, 0);
  assert.equal(messagesOf(connection.receive(whole, 1000).events).length, 1);
  connection.receive(whole.subarray(0, 200), 2000);
  assert.equal(connection.deadline, 4000);
  const [cut] = connection.expire(4000).events;
  assert.equal(cut?.kind === 'discarded' && cut.failure.code, 'truncated');
  assert.equal(connection.deadline, 61_000);
  assert.deepEqual(
    connection.expire(61_000).events.map(({ kind }) => kind),
    ['stalled'],
  );
  assert.ok(connection.deadline > 61_000);
});

test('a telegram that lost its CRC is refused once its meter has shown that it sends one', () => {
  const connection = started();
  const whole = p1TelegramAt(1_795_219_200, 0);
  const without = telegram(['1-0:1.8.1(000001.000*kWh)']);
  assert.equal(messagesOf(connection.receive(without, 0).events).length, 1);
  assert.equal(messagesOf(connection.receive(whole, 0).events).length, 1);
  const [refused] = connection.receive(without, 0).events;
  assert.equal(refused?.kind === 'discarded' && refused.failure.code, 'bad-crc');
});

test('the simulated meter sends a good telegram an interval, and its register only grows', () => {
  const clock = new VirtualClock({ second: Date.UTC(2026, 10, 21) / 1000 });
  const connection = started();
  const telegrams: P1Telegram[] = [];
  const meter = startP1Meter({
    clock,
    intervalMs: 1000,
    write: (bytes) => {
      const { events } = connection.receive(bytes, clock.monotonic());
      telegrams.push(...messagesOf(events));
    },
  });
  clock.advance(3_600_000);
  meter.stop();
  clock.advance(10_000);
  assert.deepEqual([meter.sent, telegrams.length], [3601, 3601]);
  const values = telegrams.map((one) => {
    const { readings } = observationFromP1('p1', one, ARRIVAL);
    return Number(readings.find(({ object }) => object === '1-0:1.8.1*255')?.raw);
  });
  assert.deepEqual(
    values,
    values.toSorted((a, b) => a - b),
  );
  const grown = (values.at(-1) ?? 0) - (values[0] ?? 0);
  assert.ok(grown > 800 && grown < 1000, `${grown} Wh of about 900`);
  assert.match(latin1FromBytes(p1TelegramAt(0, 0)), /^\/NRM5\\2SIMULATED\r\n\r\n/);
});
