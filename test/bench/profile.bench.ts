import assert from 'node:assert/strict';
import { decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import type { RowColumns } from '#protocol/dlms/row-columns.ts';
import { readRowColumns, scaledColumn } from '#protocol/dlms/row-columns.ts';
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
const CLOCKS: ReadonlySet<number> = new Set([0]);

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

const PROFILE = encodeData({
  type: 'array',
  value: Array.from({ length: ROWS }, (_, index) => row(index)),
});

interface Values {
  readonly found: RowColumns;
  readonly scaled: readonly Float64Array[];
}

/** Every timestamp, and every number with its scaler. */
function valuesOf(bytes: Uint8Array): Values {
  const found = readRowColumns(bytes, CLOCKS);
  assert.ok(found);
  const numbers = found.columns.filter((column) => column.kind === 'number');
  return { found, scaled: numbers.map((column) => scaledColumn(column, SCALER)) };
}

/** Each value is that of `decodeData`. */
function check({ found, scaled }: Values): void {
  const data = decodeData(PROFILE);
  assert.ok(data.type === 'array' && data.value.length === ROWS && found.rows === ROWS);
  const [times] = found.columns;
  for (const [index, each] of data.value.entries()) {
    assert.ok(each.type === 'structure' && times?.kind === 'time');
    const [time, ...numbers] = each.value;
    assert.ok(time?.type === 'octet-string');
    assert.equal(times.localSeconds[index], localSecondOf(dateTimeFrom(time.value)));
    for (const [column, { value }] of numbers.entries()) {
      assert.equal(scaled[column]?.[index], Number(`${Number(value)}e${SCALER}`));
    }
  }
}

function measured(bytes: () => Uint8Array): number {
  check(valuesOf(bytes()));
  return ratePerSecond(PROFILE.length / MEGA, () => void valuesOf(bytes()));
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

export const benches: readonly Bench[] = [
  { name: 'profile.values', unit: 'MB/s', run: () => measured(() => PROFILE) },
  { name: 'profile.values.gcm', unit: 'MB/s', run: () => measured(opened) },
  { name: 'profile.values.hdlc.1B', unit: 'MB/s', run: () => measured(deframed) },
];
