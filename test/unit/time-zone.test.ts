import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { failureOf } from '#bytes/failure.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import { parseConfiguration } from '#config/load.ts';
import { openDevices } from '#gateway/devices.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { encodeDateTime } from '#protocol/dlms/date-time.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import type { TimeMark } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { openTimeZone } from '#system/time-zone.ts';

/** What a clock shows, as seconds since 1970 as if it showed UTC. */
function shown(text: string): number {
  return Date.parse(`${text}Z`) / 1000;
}

/** Zone, what its clocks show, and the minutes from UTC to that. */
const SHOWN: readonly (readonly [string, string, number | undefined])[] = [
  ['Europe/Amsterdam', '2026-01-15T12:00:00', 60],
  ['Europe/Amsterdam', '2026-07-15T12:00:00', 120],
  ['Europe/Amsterdam', '2026-03-29T01:59:59', 60],
  ['Europe/Amsterdam', '2026-03-29T02:00:00', undefined],
  ['Europe/Amsterdam', '2026-03-29T02:59:59', undefined],
  ['Europe/Amsterdam', '2026-03-29T03:00:00', 120],
  ['Europe/Amsterdam', '2026-10-25T01:59:59', 120],
  ['Europe/Amsterdam', '2026-10-25T02:00:00', undefined],
  ['Europe/Amsterdam', '2026-10-25T02:59:59', undefined],
  ['Europe/Amsterdam', '2026-10-25T03:00:00', 60],
  ['Asia/Kolkata', '2026-07-15T12:00:00', 330],
  ['Australia/Sydney', '2026-01-15T12:00:00', 660],
  ['Australia/Sydney', '2026-04-05T02:30:00', undefined],
  ['Australia/Sydney', '2026-04-05T03:00:00', 600],
  ['Australia/Sydney', '2026-10-04T02:30:00', undefined],
  ['Australia/Sydney', '2026-10-04T03:00:00', 660],
  ['Australia/Lord_Howe', '2026-04-05T01:29:59', 660],
  ['Australia/Lord_Howe', '2026-04-05T01:30:00', undefined],
  ['Australia/Lord_Howe', '2026-04-05T02:00:00', 630],
  ['America/St_Johns', '2026-07-15T12:00:00', -150],
  ['America/St_Johns', '2026-01-15T12:00:00', -210],
  ['Pacific/Kiritimati', '2026-01-01T00:00:00', 840],
  ['UTC', '2026-07-15T12:00:00', 0],
  ['+01:00', '2026-07-15T12:00:00', 60],
];

for (const [name, text, expected] of SHOWN) {
  const title = expected === undefined ? 'tell no offset' : `are ${expected} min from UTC`;
  test(`clocks in ${name} that show ${text} ${title}`, () => {
    assert.equal(openTimeZone(name).offsetMin(shown(text)), expected);
  });
}

test('the winter of a year counts as winter on both sides of the equator', () => {
  const july = shown('2026-07-15T12:00:00');
  const winters = ['Europe/Amsterdam', 'Europe/Helsinki', 'Europe/Dublin', 'Australia/Sydney'];
  assert.deepEqual(
    winters.map((name) => openTimeZone(name).winterOffsetMin(july)),
    [60, 120, 0, 600],
  );
  const istanbul = openTimeZone('Europe/Istanbul'); // has stayed on summer time since 2016
  const years = [2014, 2026, 2014].map((year) => shown(`${year}-07-15T12:00:00`));
  assert.deepEqual(years.map(istanbul.winterOffsetMin), [120, 180, 120]);
});

test('an offset that is told is the one at that instant, whatever was asked before', () => {
  const names = ['Europe/Amsterdam', 'America/St_Johns', 'Pacific/Apia', 'Africa/Casablanca'];
  const zones = names.map(openTimeZone);
  const second = fc.integer({
    min: shown('2000-01-01T00:00:00'),
    max: shown('2035-01-01T00:00:00'),
  });
  fc.assert(
    fc.property(fc.nat({ max: names.length - 1 }), second, (index, local) => {
      const told = zones[index]?.offsetMin(local);
      assert.equal(told, openTimeZone(names[index] ?? '').offsetMin(local));
      if (told === undefined) return;
      assert.equal(shownIn(names[index], local - told * 60), local);
    }),
  );
});

/** The wall clock of a zone at a UTC second, by its digits. */
function shownIn(timeZone: string | undefined, second: number): number {
  const format = new Intl.DateTimeFormat('sv', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return shown(format.format(second * 1000).replace(' ', 'T'));
}

test('a zone that there is not is refused', () => {
  for (const name of ['Europe/Amsterdan', '', 'local', '+25:00']) {
    assert.throws(
      () => openTimeZone(name),
      (error) => failureOf(error).code === 'unknown-time-zone',
    );
  }
});

const folder = mkdtempSync(join(tmpdir(), 'normd-zone-'));
after(() => rmSync(folder, { recursive: true }));

/** The time of the first observation of a device that replays these bytes. */
async function timeOf(source: object, bytes: Uint8Array): Promise<TimeMark> {
  const file = join(folder, 'capture.bin');
  writeFileSync(file, bytes);
  const link = { kind: 'replay', file, pace: 'fast' };
  const text = JSON.stringify({ gateway: 'g', sources: [{ name: 'm', link, ...source }] });
  const loaded = parseConfiguration(text, join(folder, 'normd.yaml'));
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  const { promise, resolve, reject } = Promise.withResolvers<TimeMark>();
  const devices = openDevices(
    loaded.configuration,
    { take: ({ time }) => resolve(time) },
    {
      clock: new VirtualClock(),
      entropy: machineEntropy,
      log: (_level, event) => event === 'device.ended' && reject(new Error('nothing came')),
    },
  );
  return promise.finally(() => Promise.all(devices.map((device) => device.stop())));
}

test('a P1 meter in Finland is timed by Finnish time, and its S and W decide', async () => {
  const telegram = (time: string): Uint8Array =>
    bytesFromLatin1(`/NRM5test\r\n\r\n0-0:1.0.0(${time})\r\n1-0:1.8.0(1.0*kWh)\r\n!\r\n`);
  const finnish = { protocol: 'p1', timeZone: 'Europe/Helsinki' };
  const local = shown('2026-10-25T03:30:00'); // shown twice that night
  const summer = await timeOf(finnish, telegram('261025033000S'));
  assert.deepEqual([summer.second, summer.localOffsetMin], [local - 180 * 60, 180]);
  const winter = await timeOf(finnish, telegram('261025033000W'));
  assert.deepEqual([winter.second, winter.localOffsetMin], [local - 120 * 60, 120]);
  const unset = await timeOf({ protocol: 'p1' }, telegram('261025033000W'));
  assert.equal(unset.localOffsetMin, 60, 'Central European Time unless set');
});

test('a push without deviation is timed by the zone, save in the hour shown twice', async () => {
  const push = (month: number, day: number): Uint8Array => {
    const date = { year: 2026, month, day, hour: 2, minute: 30, second: 0, hundredths: 0 };
    const body = { type: 'structure', value: [] } as const;
    const dateTime = encodeDateTime(date);
    const apdu = encodeDataNotification({ longInvokeIdAndPriority: 1, dateTime, body });
    return encodeWrapperPdu({ source: 1, destination: 1, apdu });
  };
  const vienna = { protocol: 'dlms-push', framing: 'wrapper', timeZone: 'Europe/Vienna' };
  const summer = await timeOf(vienna, push(7, 15));
  assert.deepEqual([summer.second, summer.clock], [shown('2026-07-15T00:30:00'), 'device']);
  const twice = await timeOf(vienna, push(10, 25));
  assert.equal(twice.clock, 'gateway');
});
