import type { Data } from '../data.ts';
import type { DataAccessWord } from '../results.ts';
import type { ActionItem, AttributeReference, SetItem } from '../service.ts';

/** A value, or why there is none. */
export type Served = { readonly data: Data } | { readonly refused: DataAccessWord };

/** The objects behind a server; who asks is known by the association that they are given to. */
export interface ServerObjects {
  get(attribute: AttributeReference): Served;
  set(item: SetItem): DataAccessWord;
  /** Without data where the method returns none. */
  act(item: ActionItem): { readonly result: DataAccessWord; readonly data?: Data };
}
