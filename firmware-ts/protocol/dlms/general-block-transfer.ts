import { APDU_TAG } from './apdu-tags.ts';
import { OCTET_STRING, U16, U8, apdu, sequence } from './layout.ts';

/** General-Block-Transfer (IEC 62056-5-3, 8.4; 6.13): a part of any APDU, either way. */
export interface GeneralBlock {
  /** No more blocks follow from this side. */
  readonly lastBlock: boolean;
  /** More blocks follow without being asked for. */
  readonly streaming: boolean;
  /** How many blocks this side can take in a stream; 0 takes no GBT at all. */
  readonly window: number;
  /** Counted from 1. */
  readonly blockNumber: number;
  /** The last block that has come in without a hole before it. */
  readonly blockNumberAck: number;
  readonly blockData: Uint8Array;
}

interface Sent extends Omit<GeneralBlock, 'lastBlock' | 'streaming' | 'window'> {
  readonly blockControl: number;
}

const LAST = 0x80;
const STREAMING = 0x40;
export const WINDOW_MAX = 0x3f;

const SENT = apdu(
  APDU_TAG.generalBlockTransfer,
  sequence<Sent>({
    blockControl: U8,
    blockNumber: U16,
    blockNumberAck: U16,
    blockData: OCTET_STRING,
  }),
);

/** Errors: those of `Apdu.decode`. */
export function decodeGeneralBlock(bytes: Uint8Array): GeneralBlock {
  const { blockControl, ...rest } = SENT.decode(bytes);
  return {
    lastBlock: (blockControl & LAST) !== 0,
    streaming: (blockControl & STREAMING) !== 0,
    window: blockControl & WINDOW_MAX,
    ...rest,
  };
}

export function encodeGeneralBlock(block: GeneralBlock): Uint8Array {
  const { lastBlock, streaming, window, ...rest } = block;
  const flags = (lastBlock ? LAST : 0) | (streaming ? STREAMING : 0);
  return SENT.encode({ ...rest, blockControl: flags | (window & WINDOW_MAX) });
}
