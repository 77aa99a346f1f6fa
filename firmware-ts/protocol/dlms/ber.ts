import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { readLength, writeLength } from './length.ts';

/** How the content of one BER field is read and written; its own tag and length are outside. */
export interface BerCodec<Value> {
  read(content: Uint8Array, field: string): Value;
  write(value: Value): Uint8Array;
}

/** A SEQUENCE whose members are told apart by their context tags, in the standard's order. */
export type BerFields<Value> = {
  readonly [Name in keyof Value]-?: readonly [
    tag: number,
    codec: BerCodec<Exclude<Value[Name], undefined>>,
  ];
};

type Row = readonly [string, readonly [number, BerCodec<unknown>]];

/**
 * The members that are there; an unknown one is stepped over, for the standard leaves room for more
 * (IEC 62056-5-3, Annex C). `rest` says how far the SEQUENCE goes. Errors: `truncated`,
 * `repeated-field`, those of the codecs.
 */
export function readBerFields<Value>(reader: Reader, fields: BerFields<Value>): Partial<Value> {
  const rows = Object.entries(fields) as unknown as readonly Row[];
  const found: Record<string, unknown> = {};
  while (reader.remaining > 0) {
    const offset = reader.offset;
    const tag = reader.u8('tag');
    const row = rows.find(([, [own]]) => own === tag);
    const name = row?.[0] ?? 'extension';
    const content = reader.take(readLength(reader, name), name);
    if (row === undefined) continue;
    if (name in found) {
      throw new OperatingError('repeated-field', `${name} twice`, { offset, field: name });
    }
    found[name] = row[1][1].read(content, name);
  }
  return found as Partial<Value>;
}

export function writeBerFields<Value extends object>(
  writer: Writer,
  fields: BerFields<Value>,
  value: Value,
): Writer {
  const members = value as Readonly<Record<string, unknown>>;
  for (const [name, [tag, codec]] of Object.entries(fields) as unknown as readonly Row[]) {
    const member = members[name];
    if (member !== undefined) writeTagged(writer, tag, codec.write(member));
  }
  return writer;
}

export function writeTagged(writer: Writer, tag: number, content: Uint8Array): Writer {
  return writeLength(writer.u8(tag), content.length).bytes(content);
}

/** One value with a tag of its own inside the field: `[n] EXPLICIT`, or a CHOICE. */
function inner(content: Uint8Array, tags: readonly number[], field: string): Uint8Array {
  const reader = new Reader(content);
  const tag = reader.u8(field);
  if (!tags.includes(tag)) {
    throw new OperatingError('unknown-tag', `${field} holds the tag 0x${tag.toString(16)}`, {
      offset: 0,
      field,
    });
  }
  const value = reader.take(readLength(reader, field), field);
  if (reader.remaining > 0) {
    throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after ${field}`, {
      offset: reader.offset,
      field,
    });
  }
  return value;
}

function wrapped(tag: number, content: Uint8Array): Uint8Array {
  return writeTagged(new Writer(content.length + 4), tag, content).finish();
}

/** Bytes as they stand. */
export const IMPLICIT_BYTES: BerCodec<Uint8Array> = {
  read: (content) => content,
  write: (value) => value,
};

/** A value behind one of `tags`; the first is written. */
export function explicitBytes(...tags: readonly [number, ...number[]]): BerCodec<Uint8Array> {
  return {
    read: (content, field) => inner(content, tags, field),
    write: (value) => wrapped(tags[0], value),
  };
}

export const OCTET_STRING = explicitBytes(0x04);

/** An INTEGER of the one byte that all identifiers of the standard fit. */
export const SMALL_INTEGER: BerCodec<number> = {
  read: (content, field) => smallInteger(inner(content, [0x02], field), field),
  write: (value) => wrapped(0x02, Uint8Array.of(value)),
};

export const IMPLICIT_INTEGER: BerCodec<number> = {
  read: smallInteger,
  write: (value) => Uint8Array.of(value),
};

function smallInteger(bytes: Uint8Array, field: string): number {
  const [value] = bytes;
  if (value !== undefined && bytes.length === 1) return value;
  throw new OperatingError('bad-length', `${field} has ${bytes.length} bytes instead of 1`, {
    offset: 0,
    field,
  });
}

/** joint-iso-ccitt(2) country(16) 756 identified-organization(5) 8, then the branch and a leaf. */
const DLMS_UA = [0x60, 0x85, 0x74, 0x05, 0x08] as const;

/** The leaf of an OBJECT IDENTIFIER of the DLMS User Association. Errors: `unknown-identifier`. */
function leafOf(bytes: Uint8Array, branch: number, field: string): number {
  const expected = [...DLMS_UA, branch];
  const leaf = bytes[expected.length];
  const known = expected.every((byte, index) => bytes[index] === byte);
  if (known && leaf !== undefined && bytes.length === expected.length + 1) return leaf;
  throw new OperatingError('unknown-identifier', `${field} is none of the DLMS UA`, {
    offset: 0,
    field,
  });
}

function identifier(branch: number, leaf: number): Uint8Array {
  return Uint8Array.of(...DLMS_UA, branch, leaf);
}

/** `[n] EXPLICIT OBJECT IDENTIFIER`. */
export function explicitIdentifier(branch: number): BerCodec<number> {
  return {
    read: (content, field) => leafOf(inner(content, [0x06], field), branch, field),
    write: (leaf) => wrapped(0x06, identifier(branch, leaf)),
  };
}

/** `[n] IMPLICIT OBJECT IDENTIFIER`. */
export function implicitIdentifier(branch: number): BerCodec<number> {
  return {
    read: (content, field) => leafOf(content, branch, field),
    write: (leaf) => identifier(branch, leaf),
  };
}
