import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import type { RowColumn } from '#protocol/dlms/row-columns.ts';
import { readRowColumns, scaledColumn } from '#protocol/dlms/row-columns.ts';

const CLOCKS: ReadonlySet<number> = new Set([0]);

const time = fc
  .tuple(
    fc.constantFrom(2025, 2026, 0xffff),
    fc.integer({ min: 0, max: 13 }),
    fc.constantFrom(1, 28, 29, 30, 31, 0xfe, 0xff),
    fc.integer({ min: 0, max: 25 }),
    fc.constantFrom(0, 59, 60, 0xff),
    fc.constantFrom(-60, 0, -0x8000),
  )
  .map(([year, month, day, hour, minute, deviation]): Data => {
    const value = Uint8Array.of(year >> 8, year, month, day, 0xff, hour, minute, 0, 0, 0, 0, 0x80);
    new DataView(value.buffer).setInt16(9, deviation);
    return { type: 'octet-string', value };
  });

const row = fc.tuple(
  time,
  fc.integer({ min: 0, max: 0xffff_ffff }).map((value) => of('double-long-unsigned', value)),
  fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }).map((value) => of('double-long', value)),
  fc.integer({ min: -0x8000, max: 0x7fff }).map((value) => of('long', value)),
  fc.integer({ min: 0, max: 0xffff }).map((value) => of('long-unsigned', value)),
  fc.integer({ min: -0x80, max: 0x7f }).map((value) => of('integer', value)),
  fc.integer({ min: 0, max: 0xff }).map((value) => of('unsigned', value)),
  fc.double({ noNaN: true }).map((value) => of('float64', value)),
);

type NumberType = 'double-long-unsigned' | 'double-long' | 'long' | 'long-unsigned' | 'integer';

function of(type: NumberType | 'unsigned' | 'float64', value: number): Data {
  return { type, value };
}

function profileOf(rows: readonly (readonly Data[])[]): Data {
  return { type: 'array', value: rows.map((value) => ({ type: 'structure', value })) };
}

/** What the column says of a row, in the words of `Data`. */
function told(column: RowColumn, index: number): unknown {
  if (column.kind === 'number') return { type: column.type, value: column.raw[index] };
  return [column.localSeconds[index], column.deviations[index], column.statuses[index]];
}

function expected(data: Data): unknown {
  if (data.type !== 'octet-string') return data;
  const shown = dateTimeFrom(data.value);
  return [localSecondOf(shown) ?? NaN, shown.deviation ?? NaN, data.value[11]];
}

test('rows that are alike are in columns what they are as Data', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 300 }), (rows) => {
      const found = readRowColumns(encodeData(profileOf(rows)), CLOCKS);
      assert.equal(found?.rows, rows.length);
      for (const [index, values] of rows.entries()) {
        assert.deepEqual(
          found.columns.map((column) => told(column, index)),
          values.map(expected),
        );
      }
    }),
    { numRuns: 40 },
  );
});

test('an altered or cut profile is in columns what it is as Data, or in none', () => {
  const [sample] = fc.sample(fc.array(row, { minLength: 3, maxLength: 3 }), 1);
  assert.ok(sample);
  const whole = encodeData(profileOf(sample));
  for (let at = 0; at < whole.length; at += 1) {
    assert.equal(readRowColumns(whole.subarray(0, at), CLOCKS), undefined);
    const altered = whole.slice();
    altered[at] = (altered[at] ?? 0) ^ 0xff;
    const found = readRowColumns(altered, CLOCKS);
    if (found === undefined) continue;
    const data = decodeData(altered);
    assert.ok(data.type === 'array');
    for (const [index, values] of data.value.entries()) {
      assert.ok(values.type === 'structure');
      const columns: readonly unknown[] = found.columns.map((column) => told(column, index));
      assert.deepEqual(columns, values.value.map(expected));
    }
  }
});

test('rows that differ, tell hundredths or hold other types stay with Data', () => {
  const clock = (hundredths: number): Data => ({
    type: 'octet-string',
    value: Uint8Array.of(7, 0xea, 11, 21, 6, 12, 0, 0, hundredths, 0x80, 0, 0),
  });
  const energy = of('double-long-unsigned', 1);
  const differ = [
    [clock(0), energy],
    [{ type: 'null-data', value: null } as const, energy],
  ];
  for (const rows of [differ, [[clock(5), energy]], [[energy, clock(0)]]]) {
    assert.equal(readRowColumns(encodeData(profileOf(rows)), CLOCKS), undefined);
  }
  assert.equal(readRowColumns(encodeData({ type: 'array', value: [] }), CLOCKS), undefined);
  const whole = readRowColumns(encodeData(profileOf([[clock(0xff), energy]])), CLOCKS);
  assert.equal(whole?.rows, 1);
});

test('a scaler gives the number next to the decimal one', () => {
  const raw = Float64Array.of(2301, -7, 12_345_678);
  const column = { kind: 'number', type: 'double-long', raw } as const;
  assert.deepEqual([...scaledColumn(column, -1)], [230.1, -0.7, 1_234_567.8]);
  assert.deepEqual([...scaledColumn(column, 2)], [230_100, -700, 1_234_567_800]);
});
