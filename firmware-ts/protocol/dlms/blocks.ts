import type { Layout } from './layout.ts';
import { BOOLEAN, OCTET_STRING, U32, sequence } from './layout.ts';

/** DataBlock-SA (IEC 62056-5-3, 8.4): a part of what a SET or ACTION carries. */
export interface DataBlock {
  readonly lastBlock: boolean;
  /** Counted from 1. */
  readonly blockNumber: number;
  readonly rawData: Uint8Array;
}

export const DATA_BLOCK: Layout<DataBlock> = sequence<DataBlock>({
  lastBlock: BOOLEAN,
  blockNumber: U32,
  rawData: OCTET_STRING,
});

/** `bytes` in parts of at most `most`; one empty part where there are none. */
export function partsOf(bytes: Uint8Array, most: number): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += most) {
    parts.push(bytes.subarray(start, start + most));
  }
  return parts;
}
