import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { apduName } from './apdu-tags.ts';
import { readData, writeData } from './axdr.ts';
import type { Data } from './data.ts';
import { readLength, writeLength } from './length.ts';

/** One part of an APDU in A-XDR (IEC 61334-6), read and written by the same table. */
export interface Layout<Value> {
  read(reader: Reader, field: string): Value;
  write(writer: Writer, value: Value): void;
}

export const U8: Layout<number> = {
  read: (reader, field) => reader.u8(field),
  write: (writer, value) => void writer.u8(value),
};

export const U16: Layout<number> = {
  read: (reader, field) => reader.u16(field),
  write: (writer, value) => void writer.u16(value),
};

export const I16: Layout<number> = {
  read: (reader, field) => reader.i16(field),
  write: (writer, value) => void writer.u16(value & 0xffff),
};

export const U32: Layout<number> = {
  read: (reader, field) => reader.u32(field),
  write: (writer, value) => void writer.u32(value),
};

/** Any byte but 0 is true; 1 is written. */
export const BOOLEAN: Layout<boolean> = {
  read: (reader, field) => reader.u8(field) !== 0,
  write: (writer, value) => void writer.u8(value ? 1 : 0),
};

/** A view of the input. */
export const OCTET_STRING: Layout<Uint8Array> = {
  read: (reader, field) => reader.take(readLength(reader, field), field),
  write: (writer, value) => void writeLength(writer, value.length).bytes(value),
};

/** OCTET STRING (SIZE(n)): its length is known, and not sent. */
export function octets(length: number): Layout<Uint8Array> {
  return {
    read: (reader, field) => reader.take(length, field),
    write: (writer, value) => void writer.bytes(value),
  };
}

export const DATA: Layout<Data> = {
  read: (reader) => readData(reader),
  write: (writer, value) => void writeData(writer, value),
};

/** NULL, as a CHOICE's member. */
export const NOTHING: Layout<object> = { read: () => ({}), write: () => undefined };

/** A layout for each member, in the standard's order. */
export type Fields<Value> = {
  readonly [Name in keyof Value]-?: undefined extends Value[Name]
    ? Optional<Exclude<Value[Name], undefined>>
    : Layout<Value[Name]>;
};

/** A member that may be absent. */
export interface Optional<Value> {
  readonly optional: Layout<Value>;
}

/** OPTIONAL: a byte that says whether the value follows. */
export function optional<Value>(layout: Layout<Value>): Optional<Value> {
  return { optional: layout };
}

type AnyField = Layout<unknown> | Optional<unknown>;

export function sequence<Value extends object>(fields: Fields<Value>): Layout<Value> {
  const rows = Object.entries(fields) as unknown as readonly (readonly [string, AnyField])[];
  return {
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const [name, field] of rows) readMember(reader, value, name, field);
      return value as Value;
    },
    write(writer, value) {
      const members = value as Readonly<Record<string, unknown>>;
      for (const [name, field] of rows) writeMember(writer, members[name], field);
    },
  };
}

function readMember(
  reader: Reader,
  into: Record<string, unknown>,
  name: string,
  field: AnyField,
): void {
  if (!('optional' in field)) into[name] = field.read(reader, name);
  else if (reader.u8(name) !== 0) into[name] = field.optional.read(reader, name);
}

function writeMember(writer: Writer, value: unknown, field: AnyField): void {
  if (!('optional' in field)) field.write(writer, value);
  else if (value === undefined) writer.u8(0);
  else field.optional.write(writer.u8(1), value);
}

/** SEQUENCE OF; every element takes a byte at least, so that a larger count is false. */
export function sequenceOf<Value>(element: Layout<Value>): Layout<readonly Value[]> {
  return {
    read(reader, field) {
      const offset = reader.offset;
      const count = readLength(reader, field);
      if (count > reader.remaining) {
        const message = `${count} elements in ${reader.remaining} bytes`;
        throw new OperatingError('bad-count', message, { offset, field });
      }
      return Array.from({ length: count }, () => element.read(reader, field));
    },
    write(writer, value) {
      writeLength(writer, value.length);
      for (const one of value) element.write(writer, one);
    },
  };
}

export const DATA_LIST: Layout<readonly Data[]> = sequenceOf(DATA);

/** Without a tag before it, as it is cut into blocks. */
export function encodeAs<Value>(layout: Layout<Value>, value: Value): Uint8Array {
  const writer = new Writer();
  layout.write(writer, value);
  return writer.finish();
}

/** One member of a CHOICE, without its name. */
export type Member<Union extends { readonly kind: string }, Kind extends Union['kind']> = Omit<
  Extract<Union, { readonly kind: Kind }>,
  'kind'
>;

/** Members of a CHOICE by their `kind`: the tag, and what follows it. */
export type Members<Union extends { readonly kind: string }> = {
  readonly [Kind in Union['kind']]: readonly [tag: number, layout: Layout<Member<Union, Kind>>];
};

/** Errors: `unknown-choice`. */
export function choice<Union extends { readonly kind: string }>(
  members: Members<Union>,
): Layout<Union> {
  const rows = Object.entries(members) as unknown as readonly (readonly [
    string,
    readonly [number, Layout<object>],
  ])[];
  return {
    read(reader, field) {
      const offset = reader.offset;
      const tag = reader.u8(field);
      const row = rows.find(([, [own]]) => own === tag);
      if (row === undefined) {
        const message = `${field} has no form ${tag}`;
        throw new OperatingError('unknown-choice', message, { offset, field });
      }
      const [kind, [, layout]] = row;
      return { kind, ...layout.read(reader, field) } as unknown as Union;
    },
    write(writer, value) {
      const [tag, layout] = members[value.kind as Union['kind']];
      (layout as Layout<object>).write(writer.u8(tag), value);
    },
  };
}

/** A CHOICE's member that is a value and no sequence. */
export function only<Name extends string, Value>(
  name: Name,
  layout: Layout<Value>,
): Layout<Readonly<Record<Name, Value>>> {
  return {
    read: (reader) => ({ [name]: layout.read(reader, name) }) as Record<Name, Value>,
    write: (writer, value) => layout.write(writer, value[name]),
  };
}

/** An APDU: its tag, then its layout. */
export interface Apdu<Value> {
  /** Errors: `unexpected-apdu`, `truncated`, `trailing-bytes`, those of its parts. */
  decode(bytes: Uint8Array): Value;
  /**
   * As `decode`, but bytes may follow: servers are known that send rubbish behind an answer.
   * `length` is that of the APDU.
   */
  decodeLeading(bytes: Uint8Array): { readonly value: Value; readonly length: number };
  encode(value: Value): Uint8Array;
}

export function apdu<Value>(tag: number, layout: Layout<Value>): Apdu<Value> {
  const decodeLeading: Apdu<Value>['decodeLeading'] = (bytes) => {
    const reader = new Reader(bytes);
    const found = reader.u8('apdu-tag');
    if (found !== tag) throw unexpected(found, tag);
    return { value: layout.read(reader, apduName(tag)), length: reader.offset };
  };
  return {
    decodeLeading,
    decode(bytes) {
      const { value, length } = decodeLeading(bytes);
      const rest = bytes.length - length;
      if (rest === 0) return value;
      throw new OperatingError('trailing-bytes', `${rest} bytes after the APDU`, {
        offset: length,
      });
    },
    encode(value) {
      const writer = new Writer().u8(tag);
      layout.write(writer, value);
      return writer.finish();
    },
  };
}

function unexpected(found: number, wanted: number): OperatingError {
  const message = `${apduName(found)} instead of ${apduName(wanted)}`;
  return new OperatingError('unexpected-apdu', message, { offset: 0, field: 'apdu-tag' });
}
