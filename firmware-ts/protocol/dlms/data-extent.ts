import type { Failure } from '#bytes/failure.ts';
import { DATA_DEPTH_MAX } from './axdr.ts';
import { DESCRIPTOR_BYTES, isDescriptorAt } from './attribute-descriptor.ts';

/** What is known of where a Data ends; offsets count from the first byte given. */
export type Extent =
  | { readonly kind: 'whole'; readonly end: number }
  | { readonly kind: 'open' }
  | { readonly kind: 'refused'; readonly failure: Failure };

/** Elements of one list, members of one type, or the contents of a compact array, yet to come. */
interface Owed {
  readonly kind: 'data' | 'type' | 'contents';
  left: number;
  /** How many there are; a descriptor stands first of two. */
  readonly count: number;
}

const OPEN: Extent = { kind: 'open' };

/** Bytes after the tag, of the types that always have the same. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  ...[0, 255].map((tag) => [tag, 0] as const),
  ...[3, 13, 15, 17, 22, 28, 31].map((tag) => [tag, 1] as const),
  ...[16, 18, 29, 32].map((tag) => [tag, 2] as const),
  ...[5, 6, 23, 27, 30, 33].map((tag) => [tag, 4] as const),
  ...[20, 21, 24].map((tag) => [tag, 8] as const),
  [25, 12],
  [26, 5],
]);

const ARRAY = 1;
const STRUCTURE = 2;
const BIT_STRING = 4;
const COMPACT_ARRAY = 19;
const STRINGS: ReadonlySet<number> = new Set([9, 10, 12]);

/**
 * Follows the structure of one Data (A-XDR) while its bytes arrive. It remembers where it stands,
 * so that each byte is looked at once however the stream was cut, and it keeps no values.
 */
export class DataExtent {
  readonly #descriptors: boolean;
  readonly #owed: Owed[] = [{ kind: 'data', left: 1, count: 1 }];
  #offset: number;

  /** The Data begins at `offset`; `descriptors` as `Leniency.attributeDescriptors`. */
  constructor(offset: number, descriptors: boolean) {
    this.#offset = offset;
    this.#descriptors = descriptors;
  }

  /** `bytes` are those of before and maybe more. */
  advance(bytes: Uint8Array): Extent {
    for (let top = this.#owed.at(-1); top !== undefined; top = this.#owed.at(-1)) {
      if (top.left === 0) {
        this.#owed.pop();
        continue;
      }
      const stopped = this.#step(bytes, top);
      if (stopped !== undefined) return stopped;
    }
    return this.#offset <= bytes.length ? { kind: 'whole', end: this.#offset } : OPEN;
  }

  #step(bytes: Uint8Array, top: Owed): Extent | undefined {
    if (this.#offset >= bytes.length) return OPEN;
    if (top.kind === 'contents') return this.#counted(bytes, top, this.#offset, bytesOf);
    if (top.kind === 'type') return this.#type(bytes, top);
    if (this.#descriptors && top.count === 2 && top.left === 2 && bytes[this.#offset] === 0) {
      if (this.#offset + DESCRIPTOR_BYTES > bytes.length) return OPEN;
      if (isDescriptorAt(bytes, this.#offset)) return this.#pass(top, DESCRIPTOR_BYTES);
    }
    return this.#data(bytes, top);
  }

  #data(bytes: Uint8Array, top: Owed): Extent | undefined {
    const tag = bytes[this.#offset] ?? 0;
    const fixed = FIXED_BYTES.get(tag);
    if (fixed !== undefined) return this.#pass(top, 1 + fixed);
    if (STRINGS.has(tag)) return this.#counted(bytes, top, this.#offset + 1, bytesOf);
    if (tag === BIT_STRING) return this.#counted(bytes, top, this.#offset + 1, bytesOfBits);
    if (tag === ARRAY || tag === STRUCTURE) return this.#list(bytes, top, 'data');
    if (tag !== COMPACT_ARRAY) return refused('unknown-tag', this.#offset, 'tag');
    this.#pass(top, 1);
    this.#owed.push({ kind: 'contents', left: 1, count: 1 }, { kind: 'type', left: 1, count: 1 });
    return undefined;
  }

  #type(bytes: Uint8Array, top: Owed): Extent | undefined {
    const tag = bytes[this.#offset] ?? 0;
    if (tag === STRUCTURE) return this.#list(bytes, top, 'type');
    if (tag === ARRAY) {
      this.#pass(top, 3);
      return this.#descend('type', 1);
    }
    const known = FIXED_BYTES.has(tag) || STRINGS.has(tag) || tag === BIT_STRING;
    return known ? this.#pass(top, 1) : refused('unknown-tag', this.#offset, 'type-description');
  }

  #list(bytes: Uint8Array, top: Owed, kind: 'data' | 'type'): Extent | undefined {
    const length = lengthAt(bytes, this.#offset + 1);
    if (typeof length === 'string') return this.#unread(length);
    this.#pass(top, 1 + length.size);
    return this.#descend(kind, length.value);
  }

  #descend(kind: 'data' | 'type', count: number): Extent | undefined {
    // A compact array has two entries of its own on the way down.
    if (this.#owed.length > DATA_DEPTH_MAX + 2) return refused('too-deep', this.#offset, 'tag');
    this.#owed.push({ kind, left: count, count });
    return undefined;
  }

  /** Passes a length at `at` and what it counts. */
  #counted(
    bytes: Uint8Array,
    top: Owed,
    at: number,
    counted: (length: number) => number,
  ): Extent | undefined {
    const length = lengthAt(bytes, at);
    if (typeof length === 'string') return this.#unread(length);
    return this.#pass(top, at - this.#offset + length.size + counted(length.value));
  }

  /** Nothing stops the way on. */
  #pass(top: Owed, bytes: number): Extent | undefined {
    top.left -= 1;
    this.#offset += bytes;
    return undefined;
  }

  #unread(length: 'open' | 'bad'): Extent {
    return length === 'open' ? OPEN : refused('bad-length', this.#offset + 1, 'length');
  }
}

function bytesOf(length: number): number {
  return length;
}

function bytesOfBits(bits: number): number {
  return Math.ceil(bits / 8);
}

/** As `readLength`, without an error for what has not arrived. */
export function lengthAt(
  bytes: Uint8Array,
  at: number,
): { readonly value: number; readonly size: number } | 'open' | 'bad' {
  const first = bytes[at];
  if (first === undefined) return 'open';
  if (first < 0x80) return { value: first, size: 1 };
  const size = 1 + (first & 0x7f);
  if (size === 1 || size > 5) return 'bad';
  if (at + size > bytes.length) return 'open';
  let value = 0;
  for (let index = at + 1; index < at + size; index += 1) value = value * 256 + (bytes[index] ?? 0);
  return { value, size };
}

function refused(code: string, offset: number, field: string): Extent {
  return { kind: 'refused', failure: { code, message: 'no Data begins so', offset, field } };
}
