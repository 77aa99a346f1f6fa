import { crc32 } from 'node:zlib';
import { OperatingError } from '#bytes/failure.ts';
import type { EntryRow, FilledEntryRow } from './statements.ts';

/**
 * SQLite has no checksum of its pages: each row of the outbox carries one of its own. It covers the
 * content and the columns that never change, so that neither other bytes go out, nor the same ones
 * to another back-end or under other numbers.
 */
const COVERED = [
  'id',
  'lane',
  'stream',
  'sequence',
  'count',
  'takenMs',
  'storedMs',
  'readings',
  'recordCount',
  'packing',
  'size',
] as const;

export type Covered = Pick<EntryRow, (typeof COVERED)[number]>;

/** Of rows that were written before there were checks: what `checks` has by itself. */
export const UNCHECKED = -1;

/** In front of the CRC of all: a part of that of the columns alone; six octets in a row. */
const CONTENT_VALUES = 2 ** 32;
const HEAD_SHIFT = 17;

/** What column `checks` holds of a row with this content. */
export function checksOf(row: Covered, content: Uint8Array): number {
  const head = headOf(row);
  return (head >>> HEAD_SHIFT) * CONTENT_VALUES + crc32(content, head);
}

/** Whether the columns are those that were written, so that the row's numbers can be believed. */
export function hasSoundHead(row: EntryRow): boolean {
  const { checks } = row;
  return checks === UNCHECKED || Math.floor(checks / CONTENT_VALUES) === headOf(row) >>> HEAD_SHIFT;
}

/** Whether all is as it was written. */
export function isSoundRow(row: FilledEntryRow): boolean {
  return row.checks === UNCHECKED || row.checks === checksOf(row, row.records);
}

/** Errors: `store-damaged`, of the file: nobody knows which numbers such a row has held. */
export function assertSoundHead(row: EntryRow): void {
  if (!hasSoundHead(row))
    throw new OperatingError('store-damaged', 'a row is not as it was written');
}

/** Errors: `store-damaged`, also of a row without checks: against others it proves nothing. */
export function assertProvenHead(row: EntryRow): void {
  if (row.checks === UNCHECKED)
    throw new OperatingError('store-damaged', 'a row without checks says more than its stream');
  assertSoundHead(row);
}

/** A row has one at a time: the buffer is made once. */
const octets = new Uint8Array(COVERED.length * 8);
const view = new DataView(octets.buffer);

function headOf(row: Covered): number {
  for (const [place, name] of COVERED.entries()) view.setFloat64(place * 8, row[name]);
  return crc32(octets);
}
