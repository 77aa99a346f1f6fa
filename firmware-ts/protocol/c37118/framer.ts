import { u16At } from '#bytes/cursor.ts';
import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Frame } from './frame.ts';
import { FRAME_BYTES_MIN, SYNC_LEAD, checkFrame, frameKindOf } from './frame.ts';

export type Framed =
  | { readonly kind: 'frame'; readonly offset: number; readonly frame: Frame }
  | {
      readonly kind: 'discarded';
      readonly offset: number;
      readonly length: number;
      readonly failure: Failure;
    };

/** First room for an unfinished frame; it never holds more than a frame and a chunk. */
const BUFFER_INITIAL_BYTES = 1024;

/**
 * Bytes checked in vain, for every byte received, before a false head is skipped as a whole. Heads
 * that claim 64 KiB every four bytes would else cost 16 000 checks of every byte.
 */
const VAIN_CHECKS_PER_BYTE = 16;
const VAIN_CHECKS_BYTES = 1 << 20;

/**
 * Finds frames in a stream by SYNC, FRAMESIZE and CHK, whatever the size of the chunks. After bytes
 * that are no frame it goes on one byte further, so that no frame behind them is lost.
 */
export class C37118Framer {
  #buffer = new Uint8Array(BUFFER_INITIAL_BYTES);
  #length = 0;
  /** Bytes received before the buffer's first. */
  #base = 0;
  #vain = 0;

  /** Bytes of an unfinished frame, or of what only looks like one. */
  get pending(): number {
    return this.#length;
  }

  /** Frames are views, valid until the chunk is given back. */
  push(chunk: Uint8Array): readonly Framed[] {
    this.#vain = Math.max(0, this.#vain - VAIN_CHECKS_PER_BYTE * chunk.length);
    if (this.#length === 0) return this.#scan(chunk, 0);
    this.#append(chunk);
    return this.#scan(this.#buffer.subarray(0, this.#length), 0);
  }

  /** The unfinished frame will not be finished: looks for others behind its first byte. */
  giveUp(): readonly Framed[] {
    if (this.#length === 0) return [];
    return this.#scan(this.#buffer.subarray(0, this.#length), 1);
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  #scan(bytes: Uint8Array, skip: number): readonly Framed[] {
    const found: Framed[] = [];
    let noise: { from: number; failure: Failure } | undefined;
    let at = 0;
    const flush = (): void => {
      if (noise === undefined) return;
      const { from, failure } = noise;
      const offset = this.#base + from;
      found.push({ kind: 'discarded', offset, length: at - from, failure: { ...failure, offset } });
      noise = undefined;
    };
    if (skip > 0) {
      noise = { from: 0, failure: GIVEN_UP };
      at = skip;
    }
    while (at < bytes.length) {
      const step = this.#at(bytes, at);
      if (step === 'wait') break;
      if ('frame' in step) {
        flush();
        found.push({ kind: 'frame', offset: this.#base + at, frame: step.frame });
      } else noise ??= { from: at, failure: step.failure };
      at += step.length;
    }
    at = Math.min(at, bytes.length);
    flush();
    this.#keep(bytes, at);
    return found;
  }

  #at(
    bytes: Uint8Array,
    at: number,
  ): 'wait' | { length: number; frame: Frame } | { length: number; failure: Failure } {
    if (bytes[at] !== SYNC_LEAD) {
      const next = bytes.indexOf(SYNC_LEAD, at);
      return { length: (next < 0 ? bytes.length : next) - at, failure: NOISE };
    }
    const available = bytes.length - at;
    if (available < 2) return 'wait';
    if (frameKindOf(bytes[at + 1] ?? 0xff) === undefined) return { length: 1, failure: NOISE };
    if (available < 4) return 'wait';
    const length = u16At(bytes, at + 2);
    if (length < FRAME_BYTES_MIN) return { length: 1, failure: NOISE };
    if (available < length) return 'wait';
    try {
      return { length, frame: checkFrame(bytes.subarray(at, at + length)) };
    } catch (error) {
      this.#vain += length;
      return { length: this.#vain > VAIN_CHECKS_BYTES ? length : 1, failure: failureOf(error) };
    }
  }

  /** Keeps what is unfinished, in a new buffer where frames of this one were just given out. */
  #keep(bytes: Uint8Array, from: number): void {
    this.#base += from;
    const rest = bytes.length - from;
    if (rest > 0 && (bytes.buffer !== this.#buffer.buffer || from > 0)) {
      const fresh = new Uint8Array(Math.max(BUFFER_INITIAL_BYTES, rest));
      fresh.set(bytes.subarray(from));
      this.#buffer = fresh;
    }
    this.#length = rest;
  }
}

const NOISE: Failure = { code: 'noise', message: 'bytes outside of any frame' };
const GIVEN_UP: Failure = { code: 'truncated', message: 'a frame began and never ended' };
