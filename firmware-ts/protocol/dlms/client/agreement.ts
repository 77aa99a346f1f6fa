import type { Conformance } from '../conformance.ts';

/** What was agreed on. */
export interface Association {
  readonly referencing: 'LN' | 'SN';
  readonly conformance: Conformance;
  /** 0 where the server sets no limit. */
  readonly serverMaxReceivePduSize: number;
  readonly serverTitle?: Uint8Array;
  /** With short names: the base name of the association object. */
  readonly vaaName: number;
}
