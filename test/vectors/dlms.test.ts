import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import { decipher, encipher } from '#protocol/dlms/ciphering.ts';
import type { Data } from '#protocol/dlms/data.ts';
import {
  decodeDataNotification,
  encodeDataNotification,
  longInvokeIdFrom,
} from '#protocol/dlms/data-notification.ts';
import {
  decodeServiceCiphering,
  encodeServiceCiphering,
} from '#protocol/dlms/general-ciphering.ts';
import { securityControlFrom } from '#protocol/dlms/security.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { VECTORS } from '../support/vectors.ts';

import {
  SKIP,
  ARRIVAL,
  PUSHED,
  SHORT_LIST,
  AUSTRIA,
  KEY_BYTES,
  bytesOf,
  keysOf,
  eventsOf,
  messagesOf,
  codesOf,
  onlyMessage,
  whole,
  dotted,
} from '../support/pushes.ts';

for (const vector of PUSHED.filter(whole)) {
  test(`${vector.id} is understood in every chunk size and by detection`, () => {
    const bytes = bytesOf(vector);
    const expected = eventsOf(vector, bytes);
    assert.equal(messagesOf(expected).length, 1);
    assert.deepEqual(codesOf(expected), vector.id === AUSTRIA ? ['noise'] : []);
    for (let chunk = 1; chunk < bytes.length; chunk += chunk < 70 ? 1 : 37) {
      assert.deepEqual(eventsOf(vector, bytes, { chunk }), expected, `chunks of ${chunk}`);
    }
    for (const chunk of [1, 7, bytes.length]) {
      assert.deepEqual(eventsOf(vector, bytes, { chunk, framing: 'auto' }), expected);
    }
  });

  test(`${vector.id} cut short gives no message, and says so`, () => {
    const bytes = bytesOf(vector);
    const [event] = eventsOf(vector, bytes);
    assert.ok(event?.kind === 'message');
    for (let length = 1; length < event.length; length += 1) {
      const events = eventsOf(vector, bytes.subarray(0, length));
      assert.equal(messagesOf(events).length, 0, `${length} bytes`);
      // A lone opening flag is a pause between frames.
      if (length > 1 || vector.kind !== 'hdlc/push') assert.ok(codesOf(events).length > 0);
    }
  });

  test(`${vector.id} encodes back to the same bytes`, () => {
    const { apdu, body, defect } = onlyMessage(vector);
    if (defect !== undefined) return;
    assert.equal(toHex(encodeDataNotification(decodeDataNotification(apdu))), toHex(apdu));
    assert.ok(toHex(apdu).endsWith(toHex(encodeData(body))));
  });
}

/** What is said of a ciphered body that was cut off. */
const CUT = ['truncated', 'wrong-key', 'wrong-authentication-key'];

/**
 * What is known to be false in an oracle: the parser that made it reads scaler and unit only from
 * the telegram, takes logical names for text, and does not follow push object lists.
 */
const ORACLE_FAULTS: Readonly<Record<string, RegExp>> = {
  raw_energomera: /./,
  raw_egd_example: /^0\.2\.25\.9\.0\.255$/,
  hdlc_kamstrup_omnipower: /^0\.0\.0\.0\.0\.0$|^0\.1\.1\.0\.0\.255$/,
};

for (const vector of PUSHED.filter(whole)) {
  const { values = {}, strings = {} } = (vector.expected ?? {}) as {
    values?: Record<string, number>;
    strings?: Record<string, string>;
  };
  const codes = Object.keys(values).length + Object.keys(strings).length;
  if (codes === 0) continue;
  test(`${vector.id} gives the values that its source asserts`, () => {
    const readings = dotted(observationFromCosem('meter', onlyMessage(vector), ARRIVAL));
    const fault = ORACLE_FAULTS[vector.id] ?? /^$/;
    for (const [code, expected] of Object.entries(values)) {
      if (fault.test(code)) continue;
      const found = readings.get(code);
      // Kamstrup scales by its documentation, which the oracle does not know: it compares raw.
      const actual = vector.id === 'hdlc_kamstrup_omnipower' ? found?.raw : found?.value;
      assert.equal(actual, expected, code);
    }
    for (const [code, expected] of Object.entries(strings)) {
      if (!fault.test(code)) assert.equal(readings.get(code)?.value, expected, code);
    }
  });
}

test('local time minus its deviation is the instant, and summer time changes nothing in it', () => {
  const vector = PUSHED.find(({ id }) => id === 'own-apdu-flat-list-summer-time');
  assert.ok(vector);
  const { time } = observationFromCosem('meter', onlyMessage(vector), ARRIVAL);
  const second = Date.parse('2026-07-14T06:15:00Z') / 1000;
  assert.deepEqual([time.second, time.localOffsetMin, time.trust], [second, 120, 'trusted']);
});

test('a push object list names the values that follow it (Energomera)', SKIP, () => {
  const vector = PUSHED.find(({ id }) => id === 'raw_energomera');
  assert.ok(vector);
  const observation = observationFromCosem('meter', onlyMessage(vector), ARRIVAL);
  assert.deepEqual(
    observation.readings.map(({ object, raw }) => [
      object,
      raw instanceof Uint8Array ? toHex(raw) : raw,
    ]),
    [
      ['0-0:96.5.134*255', 1],
      ['0-0:42.0.0*255', 'EMR0222173608710'],
      ['0-0:96.1.0*255', '012415173608710'],
      ['0-0:97.98.0*255', 16],
      ['0-0:97.98.10*255', 65535],
      ['0-0:96.5.135*255', '020209060000636204ff120003'],
    ],
  );
  // 2022-11-03T15:38:25 with deviation -180 is three hours earlier in UTC.
  assert.equal(observation.time.second, Date.UTC(2022, 10, 3, 12, 38, 25) / 1000);
  assert.equal(observation.time.localOffsetMin, 180);
});

for (const vector of PUSHED) {
  const cosem = vector.expected?.['cosem'] as
    { knownObjects: readonly string[]; unknownObjects: readonly string[] } | undefined;
  if (cosem === undefined) continue;
  test(`${vector.id} has the objects that its source asserts`, () => {
    const { items } = onlyMessage(vector);
    const objects = [...cosem.knownObjects, ...cosem.unknownObjects];
    const kamstrup = vector.id.includes('kamstrup');
    for (const object of objects) {
      const [, obis = '', content = ''] = /^([^(]+)\((.*)\)$/.exec(object) ?? [];
      if (content === 'null') continue; // the oracle's word for what never arrived
      const item = items.find((candidate) => candidate.obis === `${obis}*255`);
      assert.ok(item, object);
      assert.ok(
        contentsOf(item.value, kamstrup ? 0 : (item.scaler ?? 0)).includes(
          content.split('*')[0] ?? '',
        ),
        object,
      );
      const unit = content.split('*')[1];
      if (unit !== undefined) assert.equal(item.unit, unit, object);
    }
  });
}

/** The forms in which the oracle writes one value: hexadecimal, text, raw or scaled number. */
function contentsOf(data: Data, scaler: number): readonly string[] {
  if (data.type === 'octet-string') return [toHex(data.value)];
  if (typeof data.value !== 'number')
    return [typeof data.value === 'string' ? data.value : JSON.stringify(data.value)];
  return [
    String(data.value),
    String(data.value * 10 ** scaler),
    String(data.value / 10 ** -scaler),
  ];
}

for (const vector of PUSHED) {
  const plaintext = vector.expected?.['plaintext_hex'];
  if (typeof plaintext !== 'string') continue;
  test(`${vector.id} opens to its plaintext, and a wrong key is called wrong`, () => {
    const bytes = bytesOf(vector);
    const message = onlyMessage(vector);
    assert.equal(toHex(message.apdu), plaintext.toLowerCase());
    assert.equal(message.unverified, false);
    const keys = keysOf(vector);
    const other = new Uint8Array(KEY_BYTES).fill(7);
    const failures = [
      { keys: { ...keys, encryption: other }, code: 'wrong-key', field: 'encryption-key' },
      {
        keys: { ...keys, authentication: other },
        code: 'wrong-authentication-key',
        field: 'authentication-key',
      },
      { keys: { encryption: other }, code: 'wrong-key', field: 'encryption-key' },
      { keys: {}, code: 'key-missing', field: 'encryption-key' },
    ];
    for (const { keys: wrong, code, field } of failures) {
      const [event] = eventsOf(vector, bytes, { keys: wrong });
      assert.ok(event?.kind === 'discarded');
      assert.deepEqual([event.failure.code, event.failure.field], [code, field]);
      assert.ok(event.failure.hint);
    }
    const encryption = keys.encryption ?? other;
    const [refused] = eventsOf(vector, bytes, { keys: { encryption }, authentication: 'require' });
    assert.ok(refused?.kind === 'discarded' && refused.failure.code === 'key-missing');
    for (const [unchecked, authentication] of [
      [{ encryption }, 'if-key'],
      [{ encryption, authentication: other }, 'never'],
    ] as const) {
      const [open] = messagesOf(eventsOf(vector, bytes, { keys: unchecked, authentication }));
      assert.equal(open?.unverified, true);
      assert.deepEqual(observationFromCosem('meter', open, ARRIVAL).quality, ['unverified']);
    }
  });
}

test('the bare data-notification has the invoke id that its source prints', SKIP, () => {
  const vector = PUSHED.find(({ kind }) => kind === 'apdu/DataNotification');
  assert.ok(vector);
  const { longInvokeIdAndPriority, body } = onlyMessage(vector);
  assert.deepEqual(longInvokeIdFrom(longInvokeIdAndPriority), {
    invokeId: 475,
    selfDescriptive: false,
    breakOnError: false,
    confirmed: false,
    highPriority: false,
  });
  assert.equal(body.type, 'octet-string');
});

test('a list shorter than it claims is read as far as it came, and marked', SKIP, () => {
  const vector = PUSHED.find(({ id }) => id === SHORT_LIST);
  assert.ok(vector);
  const message = onlyMessage(vector);
  assert.equal(message.defect?.code, 'truncated');
  assert.deepEqual(observationFromCosem('meter', message, ARRIVAL).quality, ['questionable']);
  // Nothing vouches for a bare APDU, so there it is an error like any other.
  assert.throws(() => decodeDataNotification(message.apdu), codeIs('truncated'));
});

interface GreenBookRow {
  readonly id: string;
  readonly ek: string;
  readonly ak?: string;
  readonly systemTitle: string;
  readonly ic: string;
  readonly sc: string;
  readonly plaintext: string;
  readonly apdu: string;
}

test('the Green Book ciphers as we do, in both directions', SKIP, () => {
  const text = readFileSync(join(VECTORS, 'dlms/standard/greenbook.json'), 'utf8');
  const { vectors } = JSON.parse(text) as { vectors: readonly GreenBookRow[] };
  const rows = vectors.filter(({ id }) => /^gb-(get|glo)/.test(id));
  assert.equal(rows.length, 4);
  for (const row of rows) {
    const keys = {
      encryption: fromHex(row.ek),
      ...(row.ak === undefined ? {} : { authentication: fromHex(row.ak) }),
    };
    const systemTitle = fromHex(row.systemTitle);
    const service = decodeServiceCiphering(fromHex(row.apdu));
    const opening = { systemTitle, keys, policy: 'if-key', cipher: machineAesGcm } as const;
    const opened = decipher(service.content, opening);
    assert.equal(toHex(opened.plaintext), row.plaintext.toLowerCase(), row.id);
    assert.equal(opened.verified, row.ak !== undefined);
    const invocationCounter = Number.parseInt(row.ic, 16);
    assert.equal(opened.invocationCounter, invocationCounter);
    const securityControl = securityControlFrom(Number.parseInt(row.sc, 16));
    const sealing = {
      systemTitle,
      securityControl,
      invocationCounter,
      keys,
      cipher: machineAesGcm,
    };
    const content = encipher(fromHex(row.plaintext), sealing);
    assert.equal(toHex(encodeServiceCiphering({ ...service, content })), row.apdu.toLowerCase());
    for (let length = 0; length < service.content.length; length += 1) {
      assert.throws(
        () => decipher(service.content.subarray(0, length), opening),
        (error) => {
          const unverified = row.ak === undefined && length > 5; // a stream cipher shows no loss
          return unverified || CUT.includes(failureOf(error).code);
        },
      );
      if (row.ak === undefined && length === 5) break;
    }
  }
});

test('a meter that shows local time without deviation is timed by its arrival', SKIP, () => {
  const vector = PUSHED.find(({ id }) => id === 'hdlc_kaifa_ma304h3e');
  assert.ok(vector);
  const message = onlyMessage(vector);
  assert.equal(observationFromCosem('meter', message, ARRIVAL).time, ARRIVAL);
  const told = observationFromCosem('meter', message, ARRIVAL, { localOffsetMin: () => 120 });
  assert.deepEqual(told.time, {
    second: Date.UTC(2017, 8, 15, 3, 33, 40) / 1000,
    nanosecond: 0,
    clock: 'device',
    trust: 'unknown',
  });
});

test('logical names of the vectors are written as the oracles write them', () => {
  assert.equal(obisText(fromHex('0100010801ff')), '1-0:1.8.1*255');
});

function codeIs(code: string): (error: unknown) => boolean {
  return (error) => error instanceof OperatingError && error.code === code;
}
