import { Reader } from '#bytes/cursor.ts';
import { OperatingError, errorOf } from '#bytes/failure.ts';
import { decodeData, readData } from './axdr.ts';
import type { Data } from './data.ts';
import { DataExtent } from './data-extent.ts';
import { readLength } from './length.ts';

const ARRAY = 1;
const COMPACT_ARRAY = 19;
/** One row, or a compact array, which is read as a whole. */
const PENDING_BYTES_MAX = 1024 * 1024;

/** Takes elements in their order. */
export interface ElementSink {
  /** One element. */
  element(data: Data): void;
  /**
   * As many whole elements from `start` on as can be taken together, at most `most`; where the next
   * one begins. `undefined` where not even the first can. `bytes` stay as they are.
   */
  together(
    bytes: Uint8Array,
    start: number,
    most: number,
  ): { readonly rows: number; readonly end: number } | undefined;
}

/**
 * Reads the elements of one array (A-XDR) while its bytes arrive, so that a profile of any length
 * takes the memory of one row. A compact array has its elements at its end.
 */
export class RowReader {
  #pending: Uint8Array = new Uint8Array(0);
  #left: number | undefined;
  #extent = new DataExtent(0, false);
  #compact = false;

  /** Elements announced and not yet given; `undefined` before the count came. */
  get left(): number | undefined {
    return this.#left;
  }

  /**
   * What the sink takes together are views of `bytes` where nothing was pending. Errors:
   * `unexpected-type` where it is no array, `too-long`, those of `readData`.
   */
  push(bytes: Uint8Array, sink: ElementSink): void {
    this.#append(bytes);
    if (this.#compact) return;
    let start = this.#left === undefined ? this.#begin() : 0;
    while (this.#left !== undefined && this.#left > 0) {
      const taken = sink.together(this.#pending, start, this.#left);
      const end = taken?.end ?? this.#endFrom(start);
      if (end === undefined) break;
      if (taken === undefined) sink.element(decodeData(this.#pending.slice(start, end)));
      this.#left -= taken?.rows ?? 1;
      this.#extent = new DataExtent(0, false);
      start = end;
    }
    // Bytes behind the last element are rubbish that some servers send.
    this.#pending = this.#left === 0 ? new Uint8Array(0) : this.#pending.slice(start);
  }

  /** No more bytes come. Errors: `truncated`. */
  end(sink: ElementSink): void {
    if (this.#compact) {
      for (const element of elementsOf(this.#pending)) sink.element(element);
    } else if (this.#left !== 0) {
      throw new OperatingError('truncated', `${this.#left ?? 'all'} rows are missing`, {
        field: 'buffer',
        hint: 'read it again: the rows that came are whole',
      });
    }
  }

  #append(bytes: Uint8Array): void {
    const length = this.#pending.length + bytes.length;
    if (length > PENDING_BYTES_MAX) {
      throw new OperatingError('too-long', `one row of more than ${PENDING_BYTES_MAX} bytes`);
    }
    if (length === bytes.length) {
      this.#pending = bytes;
      return;
    }
    const joined = new Uint8Array(length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    this.#pending = joined;
  }

  /** Where the first element begins, once the head has come. */
  #begin(): number {
    const [tag] = this.#pending;
    if (tag === undefined) return 0;
    if (tag === COMPACT_ARRAY) {
      this.#compact = true;
      return 0;
    }
    if (tag !== ARRAY) {
      throw new OperatingError('unexpected-type', `no array begins with 0x${tag.toString(16)}`);
    }
    const reader = new Reader(this.#pending, 1);
    if (reader.remaining < lengthBytes(reader.peek())) return 0;
    this.#left = readLength(reader, 'count');
    return reader.offset;
  }

  #endFrom(start: number): number | undefined {
    const extent = this.#extent.advance(this.#pending.subarray(start));
    if (extent.kind === 'open') return undefined;
    if (extent.kind === 'whole') return start + extent.end;
    throw errorOf(extent.failure);
  }
}

/** How many bytes a length has, by its first; more than any where that has not come. */
function lengthBytes(first: number | undefined): number {
  if (first === undefined) return Infinity;
  return first < 0x80 ? 1 : 1 + (first & 0x7f);
}

function elementsOf(bytes: Uint8Array): readonly Data[] {
  const data = readData(new Reader(bytes));
  return data.type === 'compact-array' ? data.value.elements : [data];
}
