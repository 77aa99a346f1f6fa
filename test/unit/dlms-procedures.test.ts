import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { operateSwitching, readClock, selectSwitching, setClock } from '#protocol/cosem/operate.ts';
import { readObjectList } from '#protocol/cosem/object-list.ts';
import type { ProfileRow } from '#protocol/cosem/profile-rows.ts';
import type { ProfilePlace, ProfileTold } from '#protocol/cosem/read-profile.ts';
import { readProfile } from '#protocol/cosem/read-profile.ts';
import type { Image } from '#protocol/cosem/transfer-image.ts';
import { transferImage } from '#protocol/cosem/transfer-image.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { shownAt } from '#protocol/cosem/local-time.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, dateTimeText, encodeDateTime } from '#protocol/dlms/date-time.ts';
import type { ElementSink } from '#protocol/dlms/rows.ts';
import { RowReader } from '#protocol/dlms/rows.ts';
import { dataOfCaptureObject } from '#protocol/dlms/selective-access.ts';
import type { ActionItem, AttributeReference } from '#protocol/dlms/service.ts';
import type { CosemAnswers } from '../support/cosem-meter.ts';
import { runProcedure } from '../support/cosem-meter.ts';

const PROFILE = obisFrom('1-0:99.1.0*255');
const COLUMNS = [
  { classId: 8, instanceId: obisFrom('0-0:1.0.0*255'), attributeId: 2, dataIndex: 0 },
  { classId: 3, instanceId: obisFrom('1-0:1.8.0*255'), attributeId: 2, dataIndex: 0 },
];
const MIDNIGHT = Date.UTC(2026, 10, 21) / 1000;
const NULL: Data = { type: 'null-data', value: null };

function timeAt(localSecond: number, deviation = -60, daylightSaving = false): Uint8Array {
  const status = { invalidValue: false, doubtfulValue: false, differentClockBase: false };
  const clockStatus = { ...status, invalidStatus: false, daylightSaving };
  return encodeDateTime({ ...shownAt(localSecond), hundredths: 0, deviation, clockStatus });
}

function rowOf(time: Uint8Array | undefined, energy: number | undefined): Data {
  const clock: Data = time === undefined ? NULL : { type: 'octet-string', value: time };
  const value: Data = energy === undefined ? NULL : { type: 'double-long-unsigned', value: energy };
  return { type: 'structure', value: [clock, value] };
}

function profileMeter(rows: readonly Data[]): CosemAnswers {
  return {
    get({ attributeId }: AttributeReference) {
      if (attributeId === 3) return { type: 'array', value: COLUMNS.map(dataOfCaptureObject) };
      if (attributeId === 4) return { type: 'double-long-unsigned', value: 900 };
      return { type: 'array', value: rows };
    },
  };
}

/** `2026-11-21T00:00:00+01:00 12` for each row that is told. */
function toldRows(into: string[]): (told: ProfileTold) => void {
  return (told) => {
    into.push(...rowsIn(told).map(textOf));
  };
}

function rowsIn(told: ProfileTold): readonly ProfileRow[] {
  if (told.kind !== 'rows') return [];
  return Array.from({ length: told.rows.count }, (_, index) => told.rows.row(index));
}

function textOf({ time, values }: ProfileRow): string {
  assert.ok(time);
  return `${dateTimeText(dateTimeFrom(time))} ${JSON.stringify(values[1]?.value)}`;
}

test('a profile is told row by row, and what the meter left out is put back', () => {
  const meter = profileMeter([
    rowOf(timeAt(MIDNIGHT), 100),
    rowOf(undefined, 101),
    rowOf(undefined, undefined),
  ]);
  const rows: string[] = [];
  const request = { logicalName: PROFILE, part: { kind: 'all' } } as const;
  const end = runProcedure(readProfile(request), meter, { told: toldRows(rows), pieceBytes: 7 });
  assert.deepEqual(rows, [
    '2026-11-21T00:00:00+01:00 100',
    '2026-11-21T00:15:00+01:00 101',
    '2026-11-21T00:30:00+01:00 101',
  ]);
  assert.deepEqual(end, { rows: 3, passed: 0 });
});

test('a profile cut at any request and resumed has no row twice and misses none', () => {
  // Through the hour that is shown twice, and with two entries of one time.
  const autumn = Date.UTC(2026, 9, 25, 1) / 1000;
  const sent: Data[] = [];
  for (let quarter = 0; quarter < 8; quarter += 1) {
    sent.push(rowOf(timeAt(autumn + quarter * 900, -120, true), quarter));
  }
  for (let quarter = 0; quarter < 8; quarter += 1) {
    sent.push(rowOf(timeAt(autumn + 3600 + quarter * 900, -60), 8 + quarter));
    if (quarter === 3) sent.push(rowOf(timeAt(autumn + 3600 + quarter * 900, -60), 100));
  }
  const meter = profileMeter(sent);
  const request = { logicalName: PROFILE, part: { kind: 'all' } } as const;
  const whole: string[] = [];
  runProcedure(readProfile(request), meter, { told: toldRows(whole) });
  assert.equal(new Set(whole).size, sent.length);

  for (let cutAt = 1; cutAt < 12; cutAt += 1) {
    const stored: string[] = [];
    let after: ProfilePlace | undefined;
    const told = (one: ProfileTold): void => {
      for (const row of rowsIn(one)) {
        stored.push(textOf(row));
        const time = row.time ?? new Uint8Array();
        const same = after !== undefined && Buffer.compare(after.time, time) === 0;
        after = { time, rows: same ? (after?.rows ?? 0) + 1 : 1 };
      }
    };
    assert.throws(
      () => runProcedure(readProfile(request), meter, { told, cutAt, pieceBytes: 20 }),
      {
        code: 'connection-lost',
      },
    );
    const resumed = after === undefined ? request : { ...request, after };
    runProcedure(readProfile(resumed), meter, { told });
    assert.deepEqual(stored, whole, `cut at request ${cutAt}`);
  }
});

test('a row with another number of values than columns is refused', () => {
  const meter = profileMeter([{ type: 'structure', value: [NULL] }]);
  const request = { logicalName: PROFILE, part: { kind: 'all' } } as const;
  assert.throws(() => runProcedure(readProfile(request), meter), { code: 'bad-row' });
});

function oneByOne(into: Data[]): ElementSink {
  return { element: (data) => void into.push(data), together: () => undefined };
}

test('rows come out of pieces of every size, and rubbish behind the last is left', () => {
  const array: Data = { type: 'array', value: [rowOf(timeAt(MIDNIGHT), 1), rowOf(undefined, 2)] };
  const bytes = Uint8Array.of(...encodeData(array), 0x09, 0x0f);
  for (let size = 1; size <= bytes.length; size += 1) {
    const reader = new RowReader();
    const rows: Data[] = [];
    const sink = oneByOne(rows);
    for (let start = 0; start < bytes.length; start += size) {
      reader.push(bytes.subarray(start, start + size), sink);
    }
    reader.end(sink);
    assert.deepEqual(rows, array.value);
  }
});

test('an array that ends before its count says so, and a row without end is not waited for', () => {
  const reader = new RowReader();
  const rows: Data[] = [];
  const sink = oneByOne(rows);
  reader.push(Uint8Array.of(1, 2, 0x11, 7), sink);
  assert.equal(rows.length, 1);
  assert.throws(() => reader.end(sink), { code: 'truncated' });
  const endless = new RowReader();
  endless.push(Uint8Array.of(1, 1, 9, 0x84, 0x7f, 0xff, 0xff, 0xff), sink);
  assert.throws(() => {
    for (let count = 0; count < 40; count += 1) endless.push(new Uint8Array(65536), sink);
  }, OperatingError);
});

test('a clock is set within the limit, and beyond it is left alone', () => {
  const written: Data[] = [];
  const meter: CosemAnswers = {
    get: () => ({ type: 'octet-string', value: timeAt(MIDNIGHT) }),
    set: (_, data) => void written.push(data),
  };
  const to = dateTimeFrom(timeAt(MIDNIGHT + 8));
  assert.equal(dateTimeText(runProcedure(readClock(), meter)), '2026-11-21T00:00:00+01:00');
  assert.equal(runProcedure(setClock({ to, stepMaxS: 9 }), meter), 8);
  assert.equal(written.length, 1);
  assert.throws(() => runProcedure(setClock({ to, stepMaxS: 7 }), meter), {
    code: 'clock-step-too-large',
  });
  assert.equal(written.length, 1);
});

/** A disconnector of control mode 4, and what was invoked on it. */
function disconnector(): { readonly meter: CosemAnswers; readonly invoked: number[] } {
  const invoked: number[] = [];
  const state = { value: 1 };
  const meter: CosemAnswers = {
    get({ attributeId }) {
      if (attributeId === 2) return { type: 'boolean', value: state.value === 1 };
      return { type: 'enum', value: attributeId === 3 ? state.value : 4 };
    },
    act({ method }: ActionItem) {
      invoked.push(method.methodId);
      state.value = method.methodId === 1 ? 0 : 1;
      return undefined;
    },
  };
  return { meter, invoked };
}

test('a disconnector is selected, operated and looked at; an old selection does nothing', () => {
  const { meter, invoked } = disconnector();
  const selection = runProcedure(selectSwitching('disconnected'), meter);
  const state = runProcedure(operateSwitching(selection), meter);
  assert.equal(state.controlState, 'disconnected');
  assert.throws(() => runProcedure(operateSwitching(selection), meter), {
    code: 'selection-outdated',
  });
  assert.deepEqual(invoked, [1]);
});

/** A meter that loses the blocks of `lost` once, and tells after two looks that all is well. */
function imageMeter(lost: readonly number[]): CosemAnswers & { readonly blocks: Uint8Array[] } {
  const blocks: Uint8Array[] = [];
  const losing = new Set(lost);
  let size = 0;
  let identifier: Uint8Array = new Uint8Array();
  let status = 0;
  let looks = 0;
  const has = (number: number): boolean => blocks[number] !== undefined;
  return {
    blocks,
    get({ attributeId }): Data {
      if (attributeId === 2) return { type: 'double-long-unsigned', value: 8 };
      if (attributeId === 5) return { type: 'boolean', value: true };
      if (attributeId === 3) {
        const bitLength = Math.ceil(size / 8);
        const bytes = new Uint8Array(Math.ceil(bitLength / 8));
        for (const number of blocks.keys()) {
          const bit = has(number) ? 0x80 >> (number & 7) : 0;
          bytes[number >> 3] = (bytes[number >> 3] ?? 0) | bit;
        }
        return { type: 'bit-string', value: { bitLength, bytes } };
      }
      if (attributeId === 6) {
        looks += 1;
        if (status === 2 && looks > 2) status = 3;
        return { type: 'enum', value: status };
      }
      const info: readonly Data[] = [
        { type: 'double-long-unsigned', value: size },
        { type: 'octet-string', value: identifier },
        { type: 'octet-string', value: new Uint8Array() },
      ];
      return { type: 'array', value: [{ type: 'structure', value: info }] };
    },
    act({ method, parameters }) {
      const [first, second] = parameters?.type === 'structure' ? parameters.value : [];
      if (method.methodId === 1) {
        identifier = first?.value as Uint8Array;
        size = second?.value as number;
      } else if (method.methodId === 2) {
        const number = first?.value as number;
        if (!losing.delete(number)) blocks[number] = second?.value as Uint8Array;
      } else if (method.methodId === 3) {
        status = 2;
        return 'temporary-failure';
      } else status = 6;
      return undefined;
    },
  };
}

function imageOf(bytes: Uint8Array, identifier = Uint8Array.of(1, 2, 3)): Image {
  const block = (number: number, size: number): Uint8Array =>
    bytes.slice(number * size, (number + 1) * size);
  return { identifier, size: bytes.length, block };
}

test('an image arrives whole though blocks were lost, is verified and activated', () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, index) => index);
  const meter = imageMeter([0, 5, 12]);
  const image = imageOf(bytes);
  const transfer = { image, resume: false, activate: true };
  assert.equal(runProcedure(transferImage(transfer), meter), 'activation-successful');
  assert.deepEqual(Buffer.concat(meter.blocks), Buffer.from(bytes));
});

test('a transfer is resumed with the image that was begun, and with no other', () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, index) => index);
  const image = imageOf(bytes);
  const meter = imageMeter([]);
  const begun = { image, resume: false, activate: false };
  assert.throws(() => runProcedure(transferImage(begun), meter, { cutAt: 8 }), {
    code: 'connection-lost',
  });
  const had = meter.blocks.length;
  assert.ok(had > 0 && had < 13);
  const others: readonly Image[] = [
    imageOf(bytes, Uint8Array.of(1, 2, 4)),
    imageOf(bytes.subarray(1)),
    { ...image, signature: Uint8Array.of(9) },
  ];
  for (const other of others) {
    const resumed = transferImage({ image: other, resume: true, activate: false });
    assert.throws(() => runProcedure(resumed, meter), { code: 'image-other' });
  }
  assert.equal(meter.blocks.length, had, 'no block of another image was sent');
  const untold: Data = { type: 'array', value: [] };
  const silent: CosemAnswers = {
    ...meter,
    get: (attribute) => (attribute.attributeId === 7 ? untold : meter.get(attribute)),
  };
  const resumed = { ...begun, resume: true };
  assert.throws(() => runProcedure(transferImage(resumed), silent), { code: 'image-unidentified' });
  assert.equal(runProcedure(transferImage(resumed), meter), 'verification-successful');
  assert.deepEqual(Buffer.concat(meter.blocks), Buffer.from(bytes));
});

test('an association tells its objects with their rights, by long and by short names', () => {
  const right: Data = {
    type: 'structure',
    value: [{ type: 'integer', value: 2 }, { type: 'enum', value: 1 }, NULL],
  };
  const rights: Data = {
    type: 'structure',
    value: [
      { type: 'array', value: [right] },
      { type: 'array', value: [] },
    ],
  };
  const name: Data = { type: 'octet-string', value: obisFrom('1-0:1.8.0*255') };
  const head: readonly Data[] = [
    { type: 'long-unsigned', value: 3 },
    { type: 'unsigned', value: 0 },
    name,
  ];
  const listing = (element: readonly Data[]): CosemAnswers => ({
    get: () => ({ type: 'array', value: [{ type: 'structure', value: element }] }),
  });
  const [long] = runProcedure(readObjectList('LN'), listing([...head, rights]));
  assert.deepEqual(long?.attributes, [{ id: 2, mode: 1, selectors: [] }]);
  const base: Data = { type: 'long', value: -1536 };
  const [short] = runProcedure(readObjectList('SN'), listing([base, ...head]));
  assert.equal(short?.baseName, 0xfa00);
  assert.equal(short.classId, 3);
});
