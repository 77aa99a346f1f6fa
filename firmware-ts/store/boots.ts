import type { Database } from 'better-sqlite3';
import type { Correction } from '#reading/retime.ts';
import { retimeRecords, retimeStored } from '#reading/retime.ts';
import type { Belief } from './messages.ts';
import { unpack } from './packing.ts';
import type { FilledEntryRow, Statements } from './statements.ts';
import type { Kept } from './store.ts';

/** Forgets those that no row names any more. */
export function forgetBoots(database: Database): void {
  database.exec(`DELETE FROM boot
    WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.boot = boot.id)
      AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.boot = boot.id)
      AND NOT EXISTS (SELECT 1 FROM unsorted WHERE unsorted.boot = boot.id)`);
}

interface Boot {
  readonly id: number;
  correction: Correction | undefined;
}

/**
 * Boots in which observations were taken while the wall clock was not believed. Once it is, the
 * first that it says counts, for good: rows are never rewritten, and read alike each time.
 */
export class Boots {
  readonly #statements: Statements;
  readonly #byName = new Map<string, Boot>();
  readonly #byId = new Map<number, Boot>();

  constructor(statements: Statements) {
    this.#statements = statements;
    for (const { id, name, offsetMs, trust } of statements.boots.all()) {
      const known = offsetMs === null ? undefined : { offsetMs, trust: trustOf(trust) };
      this.#remember(name, { id, correction: known });
    }
  }

  /** The number of a boot in the rows, or nothing for times that are dates. */
  idOf(name: string | undefined): number | null {
    if (name === undefined) return null;
    const known = this.#byName.get(name);
    if (known !== undefined) return known.id;
    const id = Number(this.#statements.addBoot.run(name).lastInsertRowid);
    this.#remember(name, { id, correction: undefined });
    return id;
  }

  /** What is to be added to times of this boot, if it is known. */
  correctionOf(id: number | null): Correction | undefined {
    return id === null ? undefined : this.#byId.get(id)?.correction;
  }

  /** Whether this tells of a boot what was not known. */
  learns(belief: Belief | undefined): belief is Belief {
    if (belief === undefined) return false;
    const known = this.#byName.get(belief.boot);
    return known !== undefined && known.correction === undefined;
  }

  learn(belief: Belief | undefined): void {
    if (!this.learns(belief)) return;
    const boot = this.#byName.get(belief.boot);
    if (boot === undefined) return;
    const { offsetMs, trust } = belief;
    this.#statements.setBoot.run(offsetMs, trust, boot.id);
    boot.correction = { offsetMs, trust };
  }

  #remember(name: string, boot: Boot): void {
    this.#byName.set(name, boot);
    this.#byId.set(boot.id, boot);
  }
}

function trustOf(word: string | null): Correction['trust'] {
  return word === 'trusted' ? word : 'unknown';
}

/** The records of an entry as they are sent, the same each time. Errors: `store-damaged`. */
export function recordsOf(row: FilledEntryRow, boots: Boots): Uint8Array {
  const { packing, size, records: bytes, stamps } = row;
  const records = unpack({ packing, size, bytes });
  const correction = boots.correctionOf(row.boot);
  if (correction === undefined || stamps === null) return records;
  return retimeRecords(records, stampsOf(stamps), correction);
}

/** An observation with its times as dates, where they can be known. */
export function keptOf(kept: Kept, correction: Correction | undefined): Kept {
  if (correction === undefined) return kept;
  const observation = retimeStored(kept.observation, correction);
  return { ...kept, takenMs: kept.takenMs + correction.offsetMs, observation };
}

const STAMP_BYTES = 8;

export function stampsToBytes(stamps: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(stamps.length * STAMP_BYTES);
  for (const [index, stamp] of stamps.entries()) {
    bytes.writeBigInt64BE(BigInt(stamp), index * STAMP_BYTES);
  }
  return bytes;
}

function stampsOf(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / STAMP_BYTES);
  return Array.from({ length: count }, (_, index) => Number(view.getBigInt64(index * STAMP_BYTES)));
}
