import { OperatingError } from '#bytes/failure.ts';
import { READOUT_BYTES_MAX } from './readout.ts';

/** Gathers one data block, character by character. */
export interface BlockCollector {
  /** Characters so far. */
  readonly length: number;
  /** The whole block with its end. Errors: `too-long`. */
  push(character: number): Uint8Array | undefined;
}

const STX = 0x02;
const ETX = 0x03;
const END_OF_DATA = 0x21; // !
const LINE_FEED = 0x0a;
const INITIAL_BYTES = 1024;

/** A read-out: `STX … ! CR LF ETX BCC`, or without STX up to the line of `!` (mode D). */
export function readoutCollector(): BlockCollector {
  let bytes = new Uint8Array(INITIAL_BYTES);
  let length = 0;
  let ended = false;
  return {
    get length() {
      return length;
    },
    push(character: number): Uint8Array | undefined {
      if (length === READOUT_BYTES_MAX) {
        throw new OperatingError('too-long', `a read-out of more than ${READOUT_BYTES_MAX} bytes`);
      }
      // What stands before it is an echo of our choice, or noise.
      if (character === STX && !ended) length = 0;
      if (length === bytes.length) bytes = grown(bytes);
      bytes[length] = character;
      length += 1;
      const whole = ended;
      const framed = bytes[0] === STX;
      ended = framed ? character === ETX : ended || character === END_OF_DATA;
      const closed = framed ? whole : whole && character === LINE_FEED;
      return closed ? bytes.subarray(0, length) : undefined;
    },
  };
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(bytes.length * 2, READOUT_BYTES_MAX));
  larger.set(bytes);
  return larger;
}
