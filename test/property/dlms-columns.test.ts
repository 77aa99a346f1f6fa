import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatingError } from '#bytes/failure.ts';
import type { ProfileRow, ProfileRows } from '#protocol/cosem/profile-rows.ts';
import { ProfileRowReader } from '#protocol/cosem/profile-rows.ts';
import { scaledColumn } from '#protocol/cosem/row-columns.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, localSecondOf } from '#protocol/dlms/date-time.ts';
import type { CaptureObject } from '#protocol/dlms/service.ts';

const PERIOD_S = 900;
const NULL: Data = { type: 'null-data', value: null };
const TEXT: Data = { type: 'visible-string', value: 'x' };

type NumberType = 'double-long-unsigned' | 'double-long' | 'long' | 'long-unsigned' | 'integer';

function of(type: NumberType | 'unsigned' | 'enum' | 'float64', value: number): Data {
  return { type, value };
}

/** Times that exist, that are open in part, and that no calendar has; hundredths are rare. */
const time = fc
  .tuple(
    fc.constantFrom(2025, 2026, 0xffff),
    fc.integer({ min: 0, max: 13 }),
    fc.constantFrom(1, 28, 29, 30, 31, 0xfe, 0xff),
    fc.integer({ min: 0, max: 25 }),
    fc.constantFrom(0, 59, 60, 0xff),
    fc.constantFrom(0, 0, 0, 0xff, 7),
    fc.constantFrom(-60, 0, -0x8000),
    fc.constantFrom(0, 0x80, 0xff, 0x1f),
    fc.nat(20).map((one) => (one === 0 ? 'date-time' : 'octet-string')),
  )
  .map(([year, month, day, hour, minute, hundredths, deviation, status, type]): Data => {
    const date = [year >> 8, year, month, day, 0xff, hour, minute, 0, hundredths];
    const value = Uint8Array.of(...date, deviation >> 8, deviation, status);
    return { type, value };
  });

/** Columns of a profile: which types a meter may tell in each; null-data says "as before". */
const row = fc.tuple(
  fc.oneof({ weight: 2, arbitrary: time }, { weight: 3, arbitrary: fc.constant(NULL) }),
  orNull(fc.nat(0xffff_ffff).map((value) => of('double-long-unsigned', value))),
  fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }).map((value) => of('double-long', value)),
  orNull(fc.integer({ min: -0x8000, max: 0x7fff }).map((value) => of('long', value))),
  fc.nat(0xffff).map((value) => of('long-unsigned', value)),
  fc.integer({ min: -0x80, max: 0x7f }).map((value) => of('integer', value)),
  fc.nat(0xff).map((value) => of('unsigned', value)),
  fc.double({ noNaN: true }).map((value) => of('float64', value)),
  fc.boolean().map((value): Data => ({ type: 'boolean', value })),
);

function orNull(arbitrary: fc.Arbitrary<Data>): fc.Arbitrary<Data> {
  return fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.constant(NULL) });
}

/** Now and then a column has a value of another type, or of one that is no number. */
const oddRow = fc
  .tuple(row, fc.nat(8), fc.constantFrom(TEXT, of('enum', 1), of('long', -1)))
  .map(([values, place, odd]): readonly Data[] =>
    values.map((one, at) => (at === place ? odd : one)),
  );

const rows = fc.array(fc.oneof({ weight: 9, arbitrary: row }, { weight: 1, arbitrary: oddRow }), {
  minLength: 1,
  maxLength: 60,
});

function columnsOf(count: number): readonly CaptureObject[] {
  return Array.from({ length: count }, (_, index) => ({
    classId: index === 0 ? 8 : 3,
    instanceId: Uint8Array.of(1, 0, index, 8, 0, 255),
    attributeId: 2,
    dataIndex: 0,
  }));
}

function profileOf(values: readonly (readonly Data[])[]): Uint8Array {
  const structures = values.map((value): Data => ({ type: 'structure', value }));
  return encodeData({ type: 'array', value: structures });
}

function readIn(pieceBytes: number, bytes: Uint8Array, columns: number): readonly ProfileRows[] {
  const reader = new ProfileRowReader(columnsOf(columns), PERIOD_S);
  const found: ProfileRows[] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    found.push(...reader.push(bytes.slice(start, start + pieceBytes)));
  }
  return [...found, ...reader.end()];
}

function rowsOf(found: readonly ProfileRows[]): readonly ProfileRow[] {
  return found.flatMap(({ count, row: rowAt }) =>
    Array.from({ length: count }, (_, at) => rowAt(at)),
  );
}

/** The same rows, kept from being columns by a text behind them. */
function oneByOne(values: readonly (readonly Data[])[], columns: number): readonly ProfileRow[] {
  const found = readIn(Infinity, profileOf(values.map((one) => [...one, TEXT])), columns + 1);
  assert.ok(found.every((each) => each.columns === undefined));
  return rowsOf(found).map((each) => ({ ...each, values: each.values.slice(0, -1) }));
}

test('rows in columns are what they are one by one, whatever is left out or odd among them', () => {
  let together = 0;
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 400 }), (values, pieceBytes) => {
      const found = readIn(pieceBytes, profileOf(values), 9);
      assert.deepEqual(rowsOf(found), oneByOne(values, 9));
      for (const { columns } of found) together += columns?.rows ?? 0;
    }),
    { numRuns: 150 },
  );
  assert.ok(together > 100, `only ${together} rows came in columns`);
});

test('columns tell the second, the deviation and the number of each row', () => {
  fc.assert(
    fc.property(rows, (values) => {
      for (const { columns, count, row: rowAt } of readIn(Infinity, profileOf(values), 9)) {
        for (let at = 0; columns !== undefined && at < count; at += 1) {
          const expected = rowAt(at).values.map(toldOf);
          const told = columns.columns.map((column) =>
            column.kind === 'number'
              ? column.raw[at]
              : [column.localSeconds[at], column.deviations[at]],
          );
          assert.deepEqual(told, expected);
        }
      }
    }),
    { numRuns: 60 },
  );
});

function toldOf({ type, value }: Data): unknown {
  if (type !== 'octet-string' && type !== 'date-time') return Number(value);
  const shown = dateTimeFrom(value);
  return [localSecondOf(shown) ?? NaN, shown.deviation ?? NaN];
}

test('an altered or cut profile is the same in columns as one by one, or refused by both', () => {
  const [sample] = fc.sample(fc.array(row, { minLength: 4, maxLength: 4 }), {
    numRuns: 1,
    seed: 5,
  });
  assert.ok(sample);
  const whole = profileOf(sample);
  for (let at = 0; at < whole.length; at += 1) {
    const altered = whole.slice();
    altered[at] = (altered[at] ?? 0) ^ 0xff;
    assert.deepEqual(outcome(altered, 1000), outcome(altered, 1), `byte ${at}`);
    assert.equal(outcome(whole.slice(0, at), 1000), 'truncated');
  }
});

/** Octet by octet no two rows are there together. */
function outcome(bytes: Uint8Array, pieceBytes: number): unknown {
  try {
    return rowsOf(readIn(pieceBytes, bytes, 9));
  } catch (error) {
    assert.ok(error instanceof OperatingError);
    return error.code;
  }
}

test('a month whose time stands in its first row only comes in columns', () => {
  const clock: Data = {
    type: 'octet-string',
    value: Uint8Array.of(7, 0xea, 1, 1, 4, 0, 0, 0, 0xff, 0xff, 0xc4, 0),
  };
  const values = Array.from({ length: 2880 }, (_, index) => [
    index === 0 ? clock : NULL,
    of('double-long-unsigned', index),
  ]);
  const found = readIn(Infinity, profileOf(values), 2);
  assert.equal(found.length, 1);
  const [column] = found[0]?.columns?.columns ?? [];
  assert.ok(column?.kind === 'time');
  const first = Date.UTC(2026, 0, 1) / 1000;
  assert.ok(column.localSeconds.every((second, at) => second === first + at * PERIOD_S));
});

test('a scaler gives the number next to the decimal one', () => {
  const raw = Float64Array.of(2301, -7, 12_345_678);
  const column = { kind: 'number', type: 'double-long', raw } as const;
  assert.deepEqual([...scaledColumn(column, -1)], [230.1, -0.7, 1_234_567.8]);
  assert.deepEqual([...scaledColumn(column, 2)], [230_100, -700, 1_234_567_800]);
});
