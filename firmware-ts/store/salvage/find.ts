import { epochAfter, firstEntryOf } from '../schema.ts';
import { cellsOf, childrenOf } from './cells.ts';
import { FoundTables, NAMED_TABLES } from './found-tables.ts';
import { PageFile } from './page-file.ts';
import type { Table } from './tables.ts';
import { NAME_SHAPE, Row, tableOf } from './tables.ts';

/** Where the page size cannot be read it is this, unless an older normd began the file. */
const PAGE_BYTES = 1024;

/** An index that is larger has been damaged. */
const INDEX_PAGES_MAX = 10_000;

/** The greatest id is in one of these: pages follow each other by their ids. */
const NEWEST_PAGES = 16;

/** Epochs are seconds: none that is read lies decades after the one that begins now. */
const LIFE_SECONDS_MAX = 2 ** 30;

/** A page of rows, by the least id in it. */
interface Leaf {
  readonly id: number;
  readonly page: number;
}

/** What is in a damaged file; rows of the large tables are read from their pages when asked. */
export class Find {
  readonly file: PageFile;
  readonly tables = new FoundTables();
  readonly #leaves: Readonly<Record<'entry' | 'kept', Leaf[]>> = { entry: [], kept: [] };
  #idMost = 0;

  /** Errors: of opening the file. */
  constructor(file: string) {
    this.file = new PageFile(file, PAGE_BYTES);
    for (const [number, page] of this.file.pages()) {
      if (!this.file.free.has(number)) this.#look(number, page);
    }
    for (const leaves of Object.values(this.#leaves)) leaves.sort((a, b) => a.id - b.id);
    for (const table of NAMED_TABLES) {
      for (const [id, name] of this.#namesIn(table)) this.tables.takeName(table, id, name);
    }
  }

  /** An epoch whose ids come after all that are in use here. */
  epochAfter(newEpoch: number): number {
    const epochs = [...this.tables.streams.values()].map(({ epoch }) => epoch);
    const most = Math.max(newEpoch, this.tables.meta?.epoch ?? 0, ...epochs) + LIFE_SECONDS_MAX;
    let after = Math.max(
      newEpoch,
      ...epochs.map((epoch) => epoch + 1),
      (this.tables.meta?.epoch ?? 0) + 1,
    );
    const newest = this.#leaves.entry.slice(-NEWEST_PAGES).flatMap(({ page }) => this.#idsIn(page));
    for (const id of [
      this.tables.meta?.nextEntry ?? 0,
      ...newest.map((newestId) => newestId + 1),
    ]) {
      if (epochAfter(id) <= most) after = Math.max(after, epochAfter(id));
    }
    this.#idMost = firstEntryOf(most);
    return after;
  }

  /** Rows of the outbox, the oldest first; call `epochAfter` before. */
  *entries(): Generator<readonly [table: Table, id: number, row: Row]> {
    for (const { page } of this.#leaves.entry) {
      for (const found of this.#rowsOf(page, ['entry', 'entry-1'])) {
        if (found[1] < this.#idMost) yield found;
      }
    }
  }

  /** Rows of what is kept at home, the newest first. */
  *kept(): Generator<readonly [table: Table, id: number, row: Row]> {
    for (const { page } of this.#leaves.kept.toReversed()) {
      yield* [...this.#rowsOf(page, ['kept', 'kept-1', 'unsorted'])].reverse();
    }
  }

  close(): void {
    this.file.close();
  }

  #look(number: number, page: Buffer): void {
    let leaf: { table: 'entry' | 'kept'; id: number } | undefined;
    for (const cell of cellsOf(this.file, number, page)) {
      const { id, shape } = cell;
      const table = tableOf(shape, id !== undefined);
      const large = table && LARGE[table];
      if (large !== undefined && id !== undefined && id < (leaf?.id ?? Infinity)) {
        leaf = { table: large, id };
      }
      const values = table === undefined || large !== undefined ? undefined : cell.values();
      if (table !== undefined && values !== undefined) {
        this.tables.take(table, id ?? 0, new Row(values));
      }
    }
    if (leaf !== undefined) this.#leaves[leaf.table].push({ id: leaf.id, page: number });
  }

  *#namesIn(table: string): Generator<readonly [id: number, name: string]> {
    const root = this.tables.indexes.get(table);
    const pages = new Set(root === undefined ? [] : [root]);
    for (const number of pages) {
      const page = this.file.page(number);
      if (page === undefined || this.file.free.has(number)) continue;
      if (pages.size < INDEX_PAGES_MAX) for (const child of childrenOf(page)) pages.add(child);
      for (const cell of cellsOf(this.file, number, page)) {
        const [name, id] = NAME_SHAPE.test(cell.shape) ? (cell.values() ?? []) : [];
        if (typeof name === 'string' && typeof id === 'number') yield [id, name];
      }
    }
  }

  #idsIn(number: number): readonly number[] {
    const page = this.file.page(number);
    const cells = page === undefined ? [] : cellsOf(this.file, number, page);
    return cells.flatMap(({ id, shape }) =>
      id !== undefined && LARGE[tableOf(shape, true) ?? 'meta'] === 'entry' ? [id] : [],
    );
  }

  *#rowsOf(number: number, tables: readonly Table[]): Generator<readonly [Table, number, Row]> {
    const page = this.file.page(number);
    if (page === undefined) return;
    for (const cell of cellsOf(this.file, number, page)) {
      const { id, shape } = cell;
      const table = tableOf(shape, id !== undefined);
      if (id === undefined || table === undefined || !tables.includes(table)) continue;
      const all = cell.values();
      if (all !== undefined) yield [table, id, new Row(all)];
    }
  }
}

/** Tables that may be larger than memory. */
const LARGE: Readonly<Partial<Record<Table, 'entry' | 'kept'>>> = {
  entry: 'entry',
  'entry-1': 'entry',
  kept: 'kept',
  'kept-1': 'kept',
  unsorted: 'kept',
};
