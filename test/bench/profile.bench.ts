import assert from 'node:assert/strict';
import { decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import type { ProfileRow, ProfileRows } from '#protocol/cosem/profile-rows.ts';
import { ProfileRowReader } from '#protocol/cosem/profile-rows.ts';
import { scaledColumn } from '#protocol/cosem/row-columns.ts';
import type { CaptureObject } from '#protocol/dlms/service.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer } from '#protocol/hdlc/framer.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { Bench } from './bench.ts';
import { ratePerSecond } from './bench.ts';
import { inChunks } from './chunks.ts';

const ROWS = 2880; // 30 days of quarter hours
const MEGA = 1e6;
const FIRST_S = Date.UTC(2026, 0, 1) / 1000;
const SCALER = -3;
const PERIOD_S = 900;
const COLUMNS: readonly CaptureObject[] = [8, 1, 3, 3, 3, 3].map((classId, index) => ({
  classId,
  instanceId: Uint8Array.of(1, 0, index, 8, 0, 255),
  attributeId: 2,
  dataIndex: 0,
}));

function row(index: number): Data {
  const at = new Date((FIRST_S + index * 900) * 1000);
  const date = [at.getUTCFullYear() >> 8, at.getUTCFullYear() & 0xff, at.getUTCMonth() + 1];
  const time = [at.getUTCDate(), 0xff, at.getUTCHours(), at.getUTCMinutes(), 0, 0, 0xff, 0xc4, 0];
  return {
    type: 'structure',
    value: [
      { type: 'octet-string', value: Uint8Array.from([...date, ...time]) },
      { type: 'unsigned', value: index & 0xff },
      ...[1, 2, 3, 4].map((factor): Data => ({
        type: 'double-long-unsigned',
        value: 12_345_678 + index * factor,
      })),
    ],
  };
}

const ALIKE = Array.from({ length: ROWS }, (_, index) => row(index));
/** Nothing but the first row tells the time. */
const TIMELESS = ALIKE.map((one, index) => without(one, (place) => index > 0 && place === 0));
/** Every other row tells the time, every third leaves out what has not changed. */
const MIXED = ALIKE.map((one, index) =>
  without(one, (place) => (place === 0 && index % 2 === 1) || (place === 1 && index % 3 === 2)),
);
/** A column that is no number: all is read one by one. */
const WORDED = ALIKE.map((one): Data => {
  const value = one.type === 'structure' ? one.value : [];
  return { type: 'structure', value: [...value.slice(0, 5), { type: 'bcd', value: 1 }] };
});

function without(one: Data, isLeftOut: (place: number) => boolean): Data {
  const value = one.type === 'structure' ? one.value : [];
  return {
    type: 'structure',
    value: value.map((cell, place) =>
      isLeftOut(place) ? { type: 'null-data', value: null } : cell,
    ),
  };
}

function encoded(rows: readonly Data[]): Uint8Array {
  return encodeData({ type: 'array', value: rows });
}

const PROFILE = encoded(ALIKE);

interface Values {
  readonly found: readonly ProfileRows[];
  readonly scaled: readonly (readonly Float64Array[])[];
}

/** Every timestamp, and every number with its scaler, as a profile is read: in pieces. */
function valuesOf(bytes: Uint8Array, pieceBytes = bytes.length): Values {
  const reader = new ProfileRowReader(COLUMNS, PERIOD_S);
  const found: ProfileRows[] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    found.push(...reader.push(bytes.subarray(start, start + pieceBytes)));
  }
  found.push(...reader.end());
  return { found, scaled: found.map(scaledOf) };
}

function scaledOf({ columns, count, row: rowAt }: ProfileRows): readonly Float64Array[] {
  if (columns !== undefined) {
    const numbers = columns.columns.filter((column) => column.kind === 'number');
    return numbers.map((column) => scaledColumn(column, SCALER));
  }
  const all = Array.from({ length: count }, (_, index) => rowAt(index));
  return [Float64Array.from(all.flatMap(numbersOf))];
}

function numbersOf({ values, time }: ProfileRow): readonly number[] {
  const second = time === undefined ? NaN : (localSecondOf(dateTimeFrom(time)) ?? NaN);
  return [second, ...values.slice(1).map(({ value }) => Number(value) * 10 ** SCALER)];
}

/** Each value is that of `decodeData`. */
function check({ found, scaled }: Values): void {
  const data = decodeData(PROFILE);
  const [all] = found;
  assert.ok(data.type === 'array' && found.length === 1 && all?.count === ROWS);
  const times = all.columns?.columns[0];
  for (const [index, each] of data.value.entries()) {
    assert.ok(each.type === 'structure' && times?.kind === 'time');
    const [time, ...numbers] = each.value;
    assert.ok(time?.type === 'octet-string');
    assert.equal(times.localSeconds[index], localSecondOf(dateTimeFrom(time.value)));
    for (const [column, { value }] of numbers.entries()) {
      assert.equal(scaled[0]?.[column]?.[index], Number(`${Number(value)}e${SCALER}`));
    }
  }
}

function measured(bytes: () => Uint8Array): number {
  check(valuesOf(bytes()));
  return ratePerSecond(PROFILE.length / MEGA, () => void valuesOf(bytes()));
}

/** Of other shapes: MB of what is sent, which is less where rows leave values out. */
function shaped(rows: readonly Data[], pieceBytes?: number): number {
  const bytes = encoded(rows);
  assert.equal(
    valuesOf(bytes, pieceBytes).found.reduce((sum, { count }) => sum + count, 0),
    ROWS,
  );
  return ratePerSecond(bytes.length / MEGA, () => void valuesOf(bytes, pieceBytes));
}

const KEY = new Uint8Array(16).fill(1);
const NONCE = new Uint8Array(12).fill(2);
const AAD = new Uint8Array(17).fill(3);
const SEALED = machineAesGcm.seal(KEY, NONCE, PROFILE, AAD, 12);

function opened(): Uint8Array {
  const plaintext = machineAesGcm.open(KEY, NONCE, SEALED.ciphertext, AAD, SEALED.tag);
  assert.ok(plaintext);
  return plaintext;
}

const INFORMATION_BYTES = 480;
const STREAM = streamOf(PROFILE);

function streamOf(bytes: Uint8Array): Uint8Array {
  const frames = Array.from({ length: Math.ceil(bytes.length / INFORMATION_BYTES) }, (_, index) =>
    flagged(
      encodeHdlcFrame({
        segmented: false,
        destination: { upper: 0x20, length: 1 },
        source: { upper: 1, lower: 17, length: 2 },
        control: { kind: 'UI', poll: true },
        information: bytes.slice(index * INFORMATION_BYTES, (index + 1) * INFORMATION_BYTES),
      }),
    ),
  );
  return Uint8Array.from(frames.flatMap((frame) => [...frame]));
}

/** What the frames of the stream carry, the stream coming octet by octet. */
function deframed(): Uint8Array {
  const framer = hdlcFramer();
  const whole = new Uint8Array(PROFILE.length);
  let at = 0;
  inChunks(STREAM, 1, (octet) => {
    for (const event of framer.push(octet)) {
      if (event.kind !== 'frame') continue;
      whole.set(event.frame.information, at);
      at += event.frame.information.length;
    }
  });
  assert.equal(at, PROFILE.length);
  return whole;
}

/** What a block of a GET brings of a profile. */
const PIECE_BYTES = 1024;

export const benches: readonly Bench[] = [
  { name: 'profile.values', unit: 'MB/s', run: () => measured(() => PROFILE) },
  { name: 'profile.values.pieces', unit: 'MB/s', run: () => shaped(ALIKE, PIECE_BYTES) },
  { name: 'profile.values.timeless', unit: 'MB/s', run: () => shaped(TIMELESS) },
  { name: 'profile.values.mixed', unit: 'MB/s', run: () => shaped(MIXED) },
  { name: 'profile.values.worded', unit: 'MB/s', run: () => shaped(WORDED) },
  { name: 'profile.values.gcm', unit: 'MB/s', run: () => measured(opened) },
  { name: 'profile.values.hdlc.1B', unit: 'MB/s', run: () => measured(deframed) },
];
