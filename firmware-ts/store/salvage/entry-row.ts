import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { unpack } from '../packing.ts';
import { UNCHECKED, checksOf } from '../row-check.ts';
import { LANES, PACKING, STATE } from '../schema.ts';
import type { Row, Table } from './tables.ts';

/** An entry of a damaged file, under the numbers that it had there. */
export interface EntryRead {
  readonly id: number;
  readonly class: DeliveryClass;
  readonly stream: number;
  readonly sequence: number;
  readonly count: number;
  readonly takenMs: number;
  readonly storedMs: number;
  readonly readings: number;
  readonly recordCount: number;
  readonly state: number;
  readonly packing: number;
  readonly size: number;
  readonly records: Uint8Array;
  readonly boot: number | undefined;
  readonly stamps: Uint8Array | null;
}

const STATES: readonly number[] = Object.values(STATE);
const PACKINGS: readonly number[] = Object.values(PACKING);

/** Nothing if it cannot have been written like this. */
export function entryOf(table: Table, id: number, row: Row): EntryRead | undefined {
  const entry = table === 'entry-1' ? entryOfVersion1(id, row) : entryOfVersion2(id, row);
  if (entry === undefined) return undefined;
  const { stream, sequence, count, takenMs, storedMs, readings, recordCount, size } = entry;
  const sum = stream + sequence + takenMs + storedMs + readings + recordCount + size;
  if (!Number.isSafeInteger(sum) || !(count >= 1) || !STATES.includes(entry.state))
    return undefined;
  return isSound(entry) ? entry : undefined;
}

function entryOfVersion2(id: number, row: Row): EntryRead | undefined {
  const lane = row.count(1);
  const of = DELIVERY_CLASSES[lane % LANES];
  const records = row.blob(12);
  if (of === undefined || records === undefined) return undefined;
  const entry = {
    id,
    class: of,
    stream: row.count(2),
    sequence: row.count(3),
    count: row.count(4),
    takenMs: row.integer(5),
    storedMs: row.count(6),
    readings: row.count(7),
    recordCount: row.count(8),
    state: row.count(9),
    packing: row.count(10),
    size: row.count(11),
    records,
    boot: row.optional(13),
    stamps: row.blob(14) ?? null,
  };
  const checks = row.optional(15) ?? UNCHECKED;
  const sound = checks === UNCHECKED || checks === checksOf({ ...entry, lane }, records);
  return sound ? entry : undefined;
}

/** As the migration to version 2 brings it over. */
function entryOfVersion1(id: number, row: Row): EntryRead | undefined {
  const records = row.blob(7);
  if (records === undefined) return undefined;
  return {
    id,
    class: 'measurement',
    stream: row.count(2),
    sequence: row.count(3),
    count: 1,
    takenMs: row.integer(4),
    storedMs: 0,
    readings: row.count(5),
    recordCount: row.count(6),
    state: STATE.due,
    packing: PACKING.plain,
    size: records.length,
    records,
    boot: undefined,
    stamps: null,
  };
}

/** A row that would turn out damaged later is one that cannot be read. */
function isSound({ packing, size, records: bytes }: EntryRead): boolean {
  if (!PACKINGS.includes(packing) || (packing !== PACKING.zstd && size !== bytes.length)) {
    return false;
  }
  try {
    return unpack({ packing, size, bytes }).length === size;
  } catch {
    return false;
  }
}
