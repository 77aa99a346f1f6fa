import { letGo } from '#system/memory.ts';
import type { DueEntry } from './store.ts';

/** A page's bytes: one answer neither holds a backlog in memory, nor holds up what comes next. */
const PAGE_BYTES_MAX = 1 << 18;

/** So that a page changes threads without a copy, and is gone as a whole. */
export function inOneBuffer(entries: readonly DueEntry[]): readonly DueEntry[] {
  const page = new Uint8Array(entries.reduce((sum, { records }) => sum + records.length, 0));
  let offset = 0;
  return entries.map(({ records, ...head }) => {
    const place = page.subarray(offset, offset + records.length);
    place.set(records);
    offset += records.length;
    letGo([records]);
    return { ...head, records: place };
  });
}

/** Rows up to `PAGE_BYTES_MAX` in all, but at least one. */
export function bounded<Row>(rows: Iterable<Row>, bytesOf: (row: Row) => number): readonly Row[] {
  const page: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    page.push(row);
    bytes += bytesOf(row);
    if (bytes >= PAGE_BYTES_MAX) break;
  }
  return page;
}
