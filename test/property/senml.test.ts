import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode as decodeCbor } from 'cbor2';
import { OperatingError } from '#bytes/failure.ts';
import { type Observation, QUALITIES, type Reading } from '#reading/reading.ts';
import { type SenmlRecord, decodePack } from '#reading/senml-decode.ts';
import { decodeJsonPack, jsonOfPack } from '#reading/senml-json.ts';
import { nameOfObject, objectOfName } from '#reading/senml-names.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { decodeStored, encodeStored } from '#reading/stored.ts';
import { anyObservation } from '../support/observations.ts';

const KEY = { gateway: 'gw-1', stream: 'meter1', epoch: 1_800_000_000, sequence: 41 };

const observations = fc.array(anyObservation, { minLength: 1, maxLength: 4 });

function packOf(taken: readonly Observation[]): Uint8Array {
  return encodePack({ ...KEY, count: taken.length }, taken.map(encodeRecords));
}

/** What a receiver must see of one reading: all that was put in, its quality in one list. */
function expected({ time, quality }: Observation, reading: Reading) {
  const marks = new Set([...quality, ...(reading.quality ?? [])]);
  const { object, unit, raw, scaler } = reading;
  return {
    object,
    unit,
    raw,
    scaler,
    time: reading.time ?? time,
    quality: QUALITIES.filter((mark) => marks.has(mark)),
  };
}

function seen({ object, unit, raw, scaler, time, quality }: SenmlRecord) {
  return { object, unit, raw, scaler, time, quality };
}

test('every observation comes out of a pack as it went in, with its content key', () => {
  fc.assert(
    fc.property(observations, (taken) => {
      const pack = decodePack(packOf(taken));
      assert.deepEqual(pack.key, { ...KEY, count: taken.length });
      assert.deepEqual(
        pack.records.map(seen),
        taken.flatMap((each) => each.readings.map((reading) => expected(each, reading))),
      );
      for (const { name, object } of pack.records) {
        assert.equal(name, `gw-1/meter1/${nameOfObject(object)}`);
      }
    }),
  );
});

test('another CBOR decoder reads the same numbers, digit for digit', () => {
  fc.assert(
    fc.property(observations, (taken) => {
      const records = decodeCbor<ReadonlyMap<number | string, unknown>[]>(packOf(taken), {
        tags: new Map([[4, (tag: { contents?: unknown }) => tag.contents]]),
        preferMap: true,
      });
      const readings = taken.flatMap((each) => each.readings);
      assert.equal(records.length, readings.length);
      for (const [index, { raw, scaler }] of readings.entries()) {
        if (typeof raw !== 'bigint' && !Number.isSafeInteger(raw)) continue;
        const value = records[index]?.get(2);
        if (Object.is(raw, -0)) assert.ok(Object.is(value, -0));
        else if (scaler === 0) assert.equal(BigInt(value as number), BigInt(raw as number));
        else {
          const [exponent, mantissa] = value as [number, number | bigint];
          assert.deepEqual([exponent, BigInt(mantissa)], [scaler, BigInt(raw as number)]);
        }
      }
    }),
  );
});

test('the JSON form has the names, times and values of the CBOR form', () => {
  fc.assert(
    fc.property(observations, (taken) => {
      const cbor = decodePack(packOf(taken));
      const json = decodeJsonPack(jsonOfPack(packOf(taken)));
      assert.deepEqual(json.key, cbor.key);
      assert.deepEqual(
        json.records.map(({ name, unit, quality }) => [name, unit, quality]),
        cbor.records.map(({ name, unit, quality }) => [name, unit, quality]),
      );
      for (const [index, record] of cbor.records.entries()) {
        const other = json.records[index]?.raw;
        if (typeof record.raw !== 'number' && typeof record.raw !== 'bigint') {
          assert.deepEqual(other, record.raw);
        } else {
          const exponent = record.scaler === 0 ? '' : `e${record.scaler}`;
          assert.equal(Number(other), Number(`${record.raw.toString()}${exponent}`));
        }
      }
    }),
  );
});

test('different objects have different legal names, and each name gives its object back', () => {
  fc.assert(
    fc.property(anyObservation, ({ readings }) => {
      for (const { object } of readings) {
        assert.match(nameOfObject(object), /^[A-Za-z0-9\-:./_]*$/);
        assert.equal(objectOfName(nameOfObject(object)), object);
      }
    }),
  );
});

test('an observation comes out of its stored form as it went in', () => {
  fc.assert(
    fc.property(anyObservation, (observation) => {
      assert.deepEqual(decodeStored(encodeStored(observation)), observation);
    }),
  );
});

test('a time that is no whole number of seconds is refused, not stored wrong', () => {
  for (const second of [NaN, Infinity, 0.5, 2 ** 53]) {
    const time = { second, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;
    assert.throws(() => encodeStored({ source: 'meter', time, quality: [], readings: [] }), {
      code: 'unencodable',
      field: 'second',
    });
  }
});

/** A decoder may refuse bytes, but only as an operating error. */
function refusesOrReads(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    decode(bytes);
  } catch (error) {
    assert.ok(error instanceof OperatingError, String(error));
  }
}

test('cut, altered and random bytes are read or refused as an operating error', () => {
  const altered = fc.tuple(observations, fc.nat(), fc.nat(255), fc.nat());
  fc.assert(
    fc.property(altered, fc.uint8Array(), ([taken, place, octet, length], noise) => {
      const [first] = taken;
      for (const [decode, good] of [
        [decodePack, packOf(taken)],
        [decodeStored, first === undefined ? noise : encodeStored(first)],
      ] as const) {
        const bytes = good.slice();
        bytes[place % bytes.length] = octet;
        refusesOrReads(decode, bytes);
        refusesOrReads(decode, noise);
        const cut = good.subarray(0, length % good.length);
        assert.throws(() => decode(cut), OperatingError);
      }
    }),
  );
});

test('random JSON is read or refused as an operating error', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      refusesOrReads((bytes) => decodeJsonPack(Buffer.from(bytes).toString()), Buffer.from(text));
    }),
  );
});
