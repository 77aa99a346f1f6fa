import { OperatingError } from './failure.ts';

/**
 * Reads big-endian fields from a byte array without copying. Every read is checked against what
 * is there; a short read throws `truncated` with the offset and the field's name.
 */
export class Reader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** Moves past `length` bytes and returns where they begin. */
  advance(length: number, field?: string): number {
    const start = this.offset;
    if (length < 0 || length > this.end - start) {
      throw new OperatingError(
        'truncated',
        `${field ?? 'field'} needs ${length} bytes, ${this.end - start} are left`,
        field === undefined ? { offset: start } : { offset: start, field },
      );
    }
    this.offset = start + length;
    return start;
  }

  u8(field?: string): number {
    return this.#view.getUint8(this.advance(1, field));
  }

  i8(field?: string): number {
    return this.#view.getInt8(this.advance(1, field));
  }

  u16(field?: string): number {
    return this.#view.getUint16(this.advance(2, field));
  }

  i16(field?: string): number {
    return this.#view.getInt16(this.advance(2, field));
  }

  u24(field?: string): number {
    const start = this.advance(3, field);
    return (this.#view.getUint8(start) << 16) | this.#view.getUint16(start + 1);
  }

  u32(field?: string): number {
    return this.#view.getUint32(this.advance(4, field));
  }

  i32(field?: string): number {
    return this.#view.getInt32(this.advance(4, field));
  }

  u64(field?: string): bigint {
    return this.#view.getBigUint64(this.advance(8, field));
  }

  i64(field?: string): bigint {
    return this.#view.getBigInt64(this.advance(8, field));
  }

  f32(field?: string): number {
    return this.#view.getFloat32(this.advance(4, field));
  }

  f64(field?: string): number {
    return this.#view.getFloat64(this.advance(8, field));
  }

  /** A view of the next `length` bytes; it shares memory with the input. */
  take(length: number, field?: string): Uint8Array {
    const start = this.advance(length, field);
    return this.bytes.subarray(start, start + length);
  }

  /** The next byte without moving, or `undefined` at the end. */
  peek(): number | undefined {
    return this.offset < this.end ? this.bytes[this.offset] : undefined;
  }
}

/** Two bytes, for framers that have checked that they are there; what is not there counts as 0. */
export function u16At(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

const WRITER_INITIAL_BYTES = 64;

/** Writes big-endian fields into a buffer that grows. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity: number = WRITER_INITIAL_BYTES) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const start = this.#grow(1); // may replace the view
    this.#view.setUint8(start, value);
    return this;
  }

  u16(value: number): this {
    const start = this.#grow(2); // may replace the view
    this.#view.setUint16(start, value);
    return this;
  }

  u24(value: number): this {
    return this.u8((value >>> 16) & 0xff).u16(value & 0xffff);
  }

  u32(value: number): this {
    const start = this.#grow(4); // may replace the view
    this.#view.setUint32(start, value);
    return this;
  }

  u64(value: bigint): this {
    const start = this.#grow(8); // may replace the view
    this.#view.setBigUint64(start, value);
    return this;
  }

  f32(value: number): this {
    const start = this.#grow(4); // may replace the view
    this.#view.setFloat32(start, value);
    return this;
  }

  f64(value: number): this {
    const start = this.#grow(8); // may replace the view
    this.#view.setFloat64(start, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const start = this.#grow(value.length);
    this.#bytes.set(value, start);
    return this;
  }

  /** Overwrites two bytes written before, for lengths known only at the end. */
  patchU16(offset: number, value: number): this {
    this.#view.setUint16(offset, value);
    return this;
  }

  /** What has been written; a view that stays valid until the next write. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(length: number): number {
    const start = this.#length;
    const needed = start + length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = needed;
    return start;
  }
}
