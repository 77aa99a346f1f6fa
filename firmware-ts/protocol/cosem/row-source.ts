import type { Data } from '../dlms/data.ts';
import type { RowRun } from './row-layout.ts';

/** What null-data stands for. */
export interface LeftOut {
  /** Of the clock: so many seconds after the row before. */
  readonly periodS: number;
  /** The row before the first, with what was left out put back. */
  readonly before: readonly Data[] | undefined;
}

/** What the columns are read of. */
export interface RowSource {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly runs: readonly RowRun[];
  readonly rows: number;
  readonly leftOut: LeftOut;
}
