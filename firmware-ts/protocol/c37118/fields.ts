import type { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { bytesFromUtf8, latin1FromBytes, utf8FromBytes } from '#bytes/text.ts';

/** One field of a frame in both directions. The tables of the standard are made of these. */
export interface Field<T> {
  /** No value takes fewer bytes: lets a claimed count be refused before anything is allocated. */
  readonly leastBytes: number;
  read(reader: Reader, name: string): T;
  write(writer: Writer, value: T, name: string): void;
}

export const u8: Field<number> = {
  leastBytes: 1,
  read: (reader, name) => reader.u8(name),
  write: (writer, value) => void writer.u8(value),
};

export const u16: Field<number> = {
  leastBytes: 2,
  read: (reader, name) => reader.u16(name),
  write: (writer, value) => void writer.u16(value),
};

export const i16: Field<number> = {
  leastBytes: 2,
  read: (reader, name) => reader.i16(name),
  write: (writer, value) => void writer.u16(value & 0xffff),
};

export const u24: Field<number> = {
  leastBytes: 3,
  read: (reader, name) => reader.u24(name),
  write: (writer, value) => void writer.u24(value),
};

export const i24: Field<number> = {
  leastBytes: 3,
  read: (reader, name) => (reader.u24(name) << 8) >> 8,
  write: (writer, value) => void writer.u24(value & 0xff_ffff),
};

export const u32: Field<number> = {
  leastBytes: 4,
  read: (reader, name) => reader.u32(name),
  write: (writer, value) => void writer.u32(value),
};

export const i32: Field<number> = {
  leastBytes: 4,
  read: (reader, name) => reader.i32(name),
  write: (writer, value) => void writer.u32(value >>> 0),
};

export const f32: Field<number> = {
  leastBytes: 4,
  read: (reader, name) => reader.f32(name),
  write: (writer, value) => void writer.f32(value),
};

/** `length` bytes as they are; what is read is a copy. */
export function octets(length: number): Field<Uint8Array> {
  return {
    leastBytes: length,
    read: (reader, name) => reader.take(length, name).slice(),
    write: (writer, value) => {
      const exact = new Uint8Array(length);
      exact.set(value.subarray(0, length));
      writer.bytes(exact);
    },
  };
}

/**
 * A name in 16 bytes padded with spaces (6.4, Table 9). The standard says ASCII; devices also send
 * UTF-8, Latin-1 and padding by NUL.
 */
export const name16: Field<string> = {
  leastBytes: 16,
  read: (reader, name) => textOf(reader.take(16, name)).replace(/[\s\0]+$/, ''),
  write: (writer, value, name) => {
    const text = fitting(value, 16, name);
    const padded = new Uint8Array(16).fill(0x20);
    padded.set(text);
    writer.bytes(padded);
  },
};

/** A name behind its length in one byte, UTF-8; length 0 is legal (6.5, Table 10). */
export const nameByLength: Field<string> = {
  leastBytes: 1,
  read: (reader, name) => textOf(reader.take(reader.u8(name), name)),
  write: (writer, value, name) => {
    const text = fitting(value, 255, name);
    writer.u8(text.length).bytes(text);
  },
};

function textOf(bytes: Uint8Array): string {
  const text = utf8FromBytes(bytes);
  return text.includes('\ufffd') ? latin1FromBytes(bytes) : text;
}

function fitting(value: string, length: number, field: string): Uint8Array {
  const text = bytesFromUtf8(value);
  if (text.length <= length) return text;
  throw new OperatingError('too-long', `${field} takes ${text.length} of ${length} bytes`, {
    field,
  });
}

/** `count` elements in a row. A count that cannot fit in what is left is `truncated`. */
export function list<T>(count: number, element: Field<T>): Field<readonly T[]> {
  return {
    leastBytes: count * element.leastBytes,
    read: (reader, name) => {
      const needed = count * element.leastBytes;
      if (needed > reader.remaining) {
        throw new OperatingError(
          'truncated',
          `${count} × ${name} need ${needed} bytes, ${reader.remaining} are left`,
          { offset: reader.offset, field: name },
        );
      }
      return Array.from({ length: count }, () => element.read(reader, name));
    },
    write: (writer, values, name) => {
      for (const value of values) element.write(writer, value, name);
    },
  };
}

/** A structure of the standard: its fields in their order under its names. */
export function structure<T extends object>(fields: {
  readonly [K in keyof T]: Field<T[K]>;
}): Field<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field<T[keyof T & string]>][];
  return {
    leastBytes: entries.reduce((sum, [, field]) => sum + field.leastBytes, 0),
    read: (reader) => {
      const value: Partial<T> = {};
      for (const [name, field] of entries) value[name] = field.read(reader, name);
      return value as T; // every field of the table has been read
    },
    write: (writer, value) => {
      for (const [name, field] of entries) field.write(writer, value[name], name);
    },
  };
}

/** Positions of bit fields in a word: least significant bit and width. */
export type BitTable<Name extends string> = Readonly<Record<Name, readonly [number, number]>>;

export function bitsOf<Name extends string>(
  table: BitTable<Name>,
  word: number,
): Record<Name, number> {
  const value: Partial<Record<Name, number>> = {};
  for (const name of namesOf(table)) {
    const [position, width] = table[name];
    value[name] = (word >>> position) & ((1 << width) - 1);
  }
  return value as Record<Name, number>; // every name of the table has been read
}

export function wordOf<Name extends string>(
  table: BitTable<Name>,
  value: Readonly<Partial<Record<Name, number>>>,
): number {
  let word = 0;
  for (const name of namesOf(table)) {
    const [position, width] = table[name];
    word |= ((value[name] ?? 0) & ((1 << width) - 1)) << position;
  }
  return word >>> 0;
}

function namesOf<Name extends string>(table: BitTable<Name>): Name[] {
  return Object.keys(table) as Name[];
}
