import { readParts, readRun } from '../kept-run.ts';
import { pack, unpack } from '../packing.ts';
import type { RunningNumbers, SourceState } from '../running.ts';
import { PACKING } from '../schema.ts';
import type { Statements } from '../statements.ts';
import type { CarriedBoots } from './carried-boots.ts';
import type { Find } from './find.ts';
import type { Room } from './room.ts';
import type { Row, Table } from './tables.ts';

/** Of what is kept at home the newest is carried over: the start must not wait for the rest. */
const KEPT_BYTES_MAX = 64 << 20;

const PACKINGS: readonly number[] = Object.values(PACKING);

interface KeptRead {
  readonly id: number;
  readonly source: number;
  readonly count: number;
  readonly readings: number;
  readonly takenMs: number;
  readonly storedMs: number;
  readonly packing: number;
  readonly size: number;
  readonly form: Uint8Array;
  readonly boot: number | undefined;
}

/** Under their ids, so that whoever is paging finds his place. */
export function carryKept(
  statements: Statements,
  numbers: RunningNumbers,
  find: Find,
  { boots, room }: { readonly boots: CarriedBoots; readonly room: Room },
): void {
  let bytes = 0;
  for (const [table, id, row] of find.kept()) {
    for (const kept of keptIn(table, id, row).toReversed()) {
      const name = find.tables.sources.get(kept.source);
      if (name === undefined || name === '' || statements.form.get(kept.id) !== undefined) continue;
      bytes += kept.form.length;
      if (bytes > KEPT_BYTES_MAX || !room.take(kept.form.length)) return;
      insert(statements, numbers, boots, numbers.source(name), kept);
    }
  }
}

function insert(
  statements: Statements,
  numbers: RunningNumbers,
  boots: CarriedBoots,
  source: SourceState,
  kept: KeptRead,
): void {
  const { id, count, readings, takenMs, storedMs, packing, size, form } = kept;
  const times = [readings, takenMs, storedMs];
  const boot = boots.idOf(kept.boot);
  statements.keep.run(id, source.id, count, ...times, packing, size, form, boot);
  source.bytes += form.length;
  source.changed = true;
  numbers.meta.nextObservation = Math.max(numbers.meta.nextObservation, id + count);
}

/** Rows of one source each; none where they cannot have been written like this. */
function keptIn(table: Table, id: number, row: Row): readonly KeptRead[] {
  if (table === 'unsorted') return partsOf(id, row);
  const kept = keptOf(table, id, row);
  return kept !== undefined && isSound(kept) ? [kept] : [];
}

function partsOf(id: number, row: Row): readonly KeptRead[] {
  const form = row.blob(7);
  const [storedMs, packing, size, boot] = [
    row.count(4),
    row.count(5),
    row.count(6),
    row.optional(8),
  ];
  if (form === undefined || !PACKINGS.includes(packing)) return [];
  try {
    const parts = readParts(unpack({ packing, size, bytes: form }), id);
    return parts
      .map(({ plain, ...part }) => {
        const { bytes, ...packed } = pack(plain);
        return { ...part, ...packed, form: bytes, storedMs, boot };
      })
      .filter(isSound);
  } catch {
    return []; // it was damaged
  }
}

function keptOf(table: Table, id: number, row: Row): KeptRead | undefined {
  const form = row.blob(table === 'kept' ? 8 : 4);
  if (form === undefined) return undefined;
  if (table === 'kept') {
    return {
      id,
      source: row.count(1),
      count: row.count(2),
      readings: row.count(3),
      takenMs: row.integer(4),
      storedMs: row.count(5),
      packing: row.count(6),
      size: row.count(7),
      form,
      boot: row.optional(9),
    };
  }
  const [source, takenMs, readings] = [row.count(1), row.integer(2), row.count(3)];
  const { length: size } = form;
  const times = { takenMs, storedMs: 0, boot: undefined };
  return { id, source, count: 1, readings, ...times, packing: PACKING.bare, size, form };
}

function isSound(kept: KeptRead): boolean {
  const { id, packing, size, form: bytes, count, readings, takenMs, storedMs } = kept;
  const whole = Number.isSafeInteger(id + count + readings + takenMs + storedMs + size);
  if (!whole || !(count >= 1) || !PACKINGS.includes(packing)) return false;
  try {
    const plain = unpack({ packing, size, bytes });
    if (plain.length !== size) return false;
    if (packing === PACKING.bare) return true;
    let last = -1;
    for (const { id: each } of readRun(plain, id)) {
      if (each <= last) return false;
      last = each;
    }
    return last >= id && last < id + count;
  } catch {
    return false;
  }
}
