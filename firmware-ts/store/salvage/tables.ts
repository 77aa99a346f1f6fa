import type { Value } from './cells.ts';

/**
 * Each table is told from the others by the shape of its rows, so that a page is read although
 * nothing leads to it any more. A column that a later version has added is absent in older rows.
 */
const TABLE_SHAPES = [
  ['meta', /^iii(i[in][in]?)?$/],
  ['source', /^nti$/],
  ['backend', /^ntii(ii)?$/],
  ['boot', /^nt(it|in|nn)$/],
  ['stream', /^nitiiiii[bn]i(i(iii[bn]?)?)?$/],
  ['stream-1', /^nitii$/],
  ['entry', /^ni{11}b([in][bn]i?)?$/],
  ['entry-1', /^ni{6}b$/],
  ['quarantine', /^ntt$/],
  ['kept', /^ni{7}b[in]?$/],
  ['kept-1', /^niiib$/],
  ['unsorted', /^ni{6}b[in]$/],
  ['schema', /^ttti[tn]$/],
] as const;

const INDEX_SHAPES = [
  ['gap', /^iiit[in]i?$/],
  ['stream-name', /^itii$/],
  ['stream-name-1', /^iti$/],
] as const;

/** Of an index over one name: it looks alike for each table that has one. */
export const NAME_SHAPE = /^ti$/;

export type Table = (typeof TABLE_SHAPES)[number][0] | (typeof INDEX_SHAPES)[number][0];

export function tableOf(shape: string, isTable: boolean): Table | undefined {
  const shapes: readonly (readonly [Table, RegExp])[] = isTable ? TABLE_SHAPES : INDEX_SHAPES;
  return shapes.find(([, pattern]) => pattern.test(shape))?.[0];
}

/** No number of ours comes near it (`repair.ts`). */
const NUMBER_MAX = 2 ** 52;

/** A row's columns as what they are; `NaN` and `''` for what is something else. */
export class Row {
  readonly #values: readonly Value[];

  constructor(values: readonly Value[]) {
    this.#values = values;
  }

  /** A count or an id. */
  count(column: number): number {
    const value = this.#values[column];
    const good = typeof value === 'number' && value >= 0 && value <= NUMBER_MAX;
    return good && Number.isInteger(value) ? value : NaN;
  }

  /** One that may be below zero, as times are. */
  integer(column: number): number {
    const value = this.#values[column];
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : NaN;
  }

  optional(column: number): number | undefined {
    const value = this.integer(column);
    return Number.isNaN(value) ? undefined : value;
  }

  text(column: number): string {
    const value = this.#values[column];
    return typeof value === 'string' ? value : '';
  }

  blob(column: number): Uint8Array | undefined {
    const value = this.#values[column];
    return value instanceof Uint8Array ? value : undefined;
  }
}
