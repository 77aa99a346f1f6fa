import type { DataBlock } from '../blocks.ts';
import { Gathered } from '../gathered.ts';

/** What a block brought. */
export type Taken<Meant> =
  | { readonly kind: 'more' }
  | { readonly kind: 'whole'; readonly meant: Meant; readonly raw: Uint8Array }
  /** Nothing was begun. */
  | { readonly kind: 'unbegun' }
  /** It has not the next number; what came is forgotten. */
  | { readonly kind: 'out-of-order' };

interface Begun<Meant> {
  readonly meant: Meant;
  readonly gathered: Gathered;
  blockNumber: number;
}

/** What a SET or an ACTION carries in blocks (IEC 62056-5-3, 6.7 and 6.8), for what is `meant`. */
export class RequestBlocks<Meant> {
  #begun: Begun<Meant> | undefined;

  begin(meant: Meant): void {
    this.#begun = { meant, gathered: new Gathered(), blockNumber: 0 };
  }

  /** Errors: `too-long`. */
  take({ blockNumber, lastBlock, rawData }: DataBlock): Taken<Meant> {
    const begun = this.#begun;
    if (begun === undefined) return { kind: 'unbegun' };
    if (lastBlock || blockNumber !== begun.blockNumber + 1) this.#begun = undefined;
    if (blockNumber !== begun.blockNumber + 1) return { kind: 'out-of-order' };
    begun.gathered.add(rawData);
    begun.blockNumber = blockNumber;
    if (!lastBlock) return { kind: 'more' };
    return { kind: 'whole', meant: begun.meant, raw: begun.gathered.whole() };
  }
}
