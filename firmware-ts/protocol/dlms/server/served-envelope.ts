import { APDU_TAG } from '../apdu-tags.ts';
import { BlockTransfer } from '../block-transfer.ts';
import { decodeGeneralBlock } from '../general-block-transfer.ts';
import type { Protection } from '../protection.ts';

/** What came over the link. */
export type Requested =
  | { readonly kind: 'apdu'; readonly apdu: Uint8Array }
  /** A general block: these are to be sent, and the rest will come. */
  | { readonly kind: 'block'; readonly send: readonly Uint8Array[] };

export interface ServedEnvelopeOptions {
  readonly protection: Protection;
  /** Blocks of a stream that the client may send before it hears from us. */
  readonly blockWindow: number;
  /** Agreed on; without it no APDU is put into general blocks. */
  readonly generalBlocks: boolean;
  /** The longest APDU that goes over the link. */
  readonly apduBytesMax: number;
}

/** The server's side of what an APDU is carried in (IEC 62056-5-3, 5.3 and 6.13). */
export class ServedEnvelope {
  readonly #options: ServedEnvelopeOptions;
  #transfer: BlockTransfer | undefined;
  /** The request came in blocks, and so the answer goes. */
  #blocked = false;

  constructor(options: ServedEnvelopeOptions) {
    this.#options = options;
  }

  /** Errors: those of the protection and of `BlockTransfer.receive`. */
  open(bytes: Uint8Array): Requested {
    this.#blocked = bytes[0] === APDU_TAG.generalBlockTransfer;
    if (this.#blocked) return this.#transferred(bytes);
    const { apdu } = this.#options.protection.unprotect(bytes);
    this.#blocked = apdu[0] === APDU_TAG.generalBlockTransfer;
    return this.#blocked ? this.#transferred(apdu) : { kind: 'apdu', apdu };
  }

  /** What goes over the link first, of the answer to what was opened. */
  seal(apdu: Uint8Array): readonly Uint8Array[] {
    const { protection, blockWindow, generalBlocks, apduBytesMax } = this.#options;
    const bytes = protection.protect(apdu);
    const whole = bytes.length <= apduBytesMax && !this.#blocked;
    if (whole || !generalBlocks) return [bytes];
    if (!this.#blocked) this.#transfer = undefined;
    this.#transfer ??= new BlockTransfer(blockWindow);
    return this.#transfer.answer(bytes, apduBytesMax);
  }

  #transferred(bytes: Uint8Array): Requested {
    if (isFirst(bytes)) this.#transfer = undefined;
    this.#transfer ??= new BlockTransfer(this.#options.blockWindow);
    const { send, apdu } = this.#transfer.receive(bytes);
    if (apdu === undefined) return { kind: 'block', send };
    return { kind: 'apdu', apdu: this.#options.protection.unprotect(apdu).apdu };
  }
}

/** Of a request; a client that asks for more of an answer sends no data. */
function isFirst(bytes: Uint8Array): boolean {
  const { blockNumber, blockNumberAck, blockData } = decodeGeneralBlock(bytes);
  return blockNumber === 1 && blockNumberAck === 0 && blockData.length > 0;
}
