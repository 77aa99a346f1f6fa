import { OperatingError } from '#bytes/failure.ts';
import { partsOf } from './blocks.ts';
import { Gathered } from './gathered.ts';
import type { GeneralBlock } from './general-block-transfer.ts';
import { decodeGeneralBlock, encodeGeneralBlock } from './general-block-transfer.ts';

/** Head of a block: tag, control, two numbers, and the length of the data. */
const BLOCK_HEAD_BYTES = 9;
/** Blocks that bring nothing new, one after another: beyond this the peer runs in circles. */
const REPEATS_MAX = 16;
const NO_DATA = new Uint8Array(0);

/** What a block brought: blocks to send, and the APDU once it is whole. */
export interface Transferred {
  readonly send: readonly Uint8Array[];
  readonly apdu?: Uint8Array;
}

/**
 * General block transfer of one request and its answer (IEC 62056-5-3, 6.13): both ways, with
 * windows, streams, and recovery of lost blocks. Made anew for each request, on either side.
 */
export class BlockTransfer {
  readonly #window: number;
  /** What we send, in parts; numbered on from the blocks that were sent before them. */
  #parts: readonly Uint8Array[];
  #before = 0;
  /** Number of our latest block that the peer has. */
  #acknowledged = 0;
  /** We are the one that was asked, and the request is whole. */
  #answering = false;
  #peerWindow = 1;
  /** Number of our latest block, whether it held data or not. */
  #sent = 0;
  /** That block held no data. */
  #worded = false;
  readonly #gathered = new Gathered();
  #received = 0;
  /** Blocks of the stream that is coming in. */
  #streamed = 0;
  #repeats = 0;
  #whole = false;

  /**
   * `blockBytesMax` is the longest APDU that the peer takes, `window` how many blocks it may send
   * in a stream. Without `request` only an answer, or the peer's request, is expected.
   */
  constructor(window: number, request?: Uint8Array, blockBytesMax = Infinity) {
    this.#window = window;
    this.#parts = request === undefined ? [] : blocksOf(request, blockBytesMax);
  }

  /** The first blocks of the request. */
  begin(): readonly Uint8Array[] {
    return this.#stream();
  }

  /** The first blocks of the answer to what the peer asked, in blocks or not. */
  answer(answer: Uint8Array, blockBytesMax: number): readonly Uint8Array[] {
    this.#answering = true;
    this.#whole = false;
    this.#parts = blocksOf(answer, blockBytesMax);
    this.#before = this.#sent;
    this.#acknowledged = this.#sent;
    return this.#stream();
  }

  /**
   * Takes a block. Errors: `endless-blocks` when the peer repeats itself, `too-long`,
   * `block-transfer-aborted`, those of `decodeGeneralBlock`.
   */
  receive(bytes: Uint8Array): Transferred {
    const block = decodeGeneralBlock(bytes);
    if (this.#whole) return this.#repeated();
    if (block.window === 0 && block.blockData.length === 0) throw aborted();
    const moved = this.#acknowledge(block);
    const old = block.blockNumber <= this.#received;
    if (block.blockNumber !== this.#received + 1) {
      if (!moved) this.#repeated();
    } else if (this.#gather(block, moved)) return { send: [], apdu: this.#gathered.whole() };
    if (this.#goesOn(block)) return { send: [] };
    return { send: old ? this.#answerAgain() : this.#answer() };
  }

  /**
   * The peer fell silent: what it has not acknowledged again, or the word that more is wanted, with
   * the number that it may have missed. Nothing where the peer has to ask, and no request that it
   * has said nothing to: it may have been done.
   */
  again(): readonly Uint8Array[] {
    if (this.#whole || (this.#received === 0 && this.#end > 0)) return [];
    this.#streamed = 0;
    if (this.#acknowledged < this.#end) return this.#stream();
    return this.#answerAgain();
  }

  /** The peer may send our window's blocks before it waits for us, whatever it says. */
  #goesOn({ streaming }: GeneralBlock): boolean {
    this.#streamed = streaming ? this.#streamed + 1 : 0;
    if (this.#streamed < this.#window) return streaming;
    this.#streamed = 0;
    return false;
  }

  /** Our blocks that the peer has; answers whether it has more than before. */
  #acknowledge({ blockNumberAck, window }: GeneralBlock): boolean {
    this.#peerWindow = Math.max(1, window);
    const known = this.#acknowledged;
    const most = Math.min(blockNumberAck, this.#sent);
    this.#acknowledged = Math.max(known, most);
    return this.#acknowledged > known && known < this.#end;
  }

  /** Number of the block that holds the last part. */
  get #end(): number {
    return this.#before + this.#parts.length;
  }

  /** Whether the answer is whole. */
  #gather({ blockNumber, blockData, lastBlock }: GeneralBlock, moved: boolean): boolean {
    this.#received = blockNumber;
    this.#gathered.add(blockData);
    if (moved || blockData.length > 0) this.#repeats = 0;
    else this.#repeated();
    // A block without data that is not the answer's acknowledges ours, nothing more.
    const ours = this.#answering || this.#acknowledged < this.#end;
    this.#whole = lastBlock && !(ours && blockData.length === 0);
    return this.#whole;
  }

  #repeated(): Transferred {
    this.#repeats += 1;
    if (this.#repeats <= REPEATS_MAX) return { send: [] };
    throw new OperatingError('endless-blocks', `${REPEATS_MAX} blocks that bring nothing new`, {
      field: 'block-number',
      hint: 'propose no general block transfer to this meter, or a window of 1',
    });
  }

  /** More of the request, or the word that more of the answer is wanted. */
  #answer(): readonly Uint8Array[] {
    if (this.#acknowledged < this.#end) return this.#stream();
    if (this.#answering) return [];
    this.#worded = true;
    return [this.#block(NO_DATA, true, false)];
  }

  /** The peer has not got what we said last, or it would go on: our block has the same number. */
  #answerAgain(): readonly Uint8Array[] {
    if (this.#worded && this.#acknowledged < this.#sent) this.#sent -= 1;
    return this.#answer();
  }

  /** As many parts as the peer takes at once, from the first that it does not have. */
  #stream(): readonly Uint8Array[] {
    this.#sent = this.#acknowledged;
    this.#worded = false;
    const first = this.#acknowledged - this.#before;
    const parts = this.#parts.slice(first, first + this.#peerWindow);
    return parts.map((part, index) => {
      const last = first + index === this.#parts.length - 1;
      return this.#block(part, last, index < parts.length - 1);
    });
  }

  #block(blockData: Uint8Array, lastBlock: boolean, streaming: boolean): Uint8Array {
    this.#sent += 1;
    return encodeGeneralBlock({
      lastBlock,
      streaming,
      window: this.#window,
      blockNumber: this.#sent,
      blockNumberAck: this.#received,
      blockData,
    });
  }
}

function blocksOf(bytes: Uint8Array, blockBytesMax: number): readonly Uint8Array[] {
  return partsOf(bytes, Math.max(1, blockBytesMax - BLOCK_HEAD_BYTES));
}

function aborted(): OperatingError {
  return new OperatingError('block-transfer-aborted', 'the meter broke a block transfer off');
}
