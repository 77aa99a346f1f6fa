import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { bytesFromLatin1, bytesFromUtf8, latin1FromBytes, utf8FromBytes } from '#bytes/text.ts';
import { readDescriptor, writeDescriptor } from './attribute-descriptor.ts';
import type {
  BitString,
  CompactArray,
  Data,
  DataType,
  DataValues,
  TypeDescription,
} from './data.ts';
import { readLength, writeLength } from './length.ts';
import type { Leniency } from './leniency.ts';
import { readTagless } from './leniency.ts';
import { readTypeDescription, takesNothing, writeTypeDescription } from './type-description.ts';

/** Real profiles nest five deep; deeper input is an attack on the stack. */
export const DATA_DEPTH_MAX = 32;
/** Two years of quarter hours with twelve columns. */
const DATA_VALUES_MAX = 1_000_000;
/**
 * A tagged value takes a byte. In a compact array a byte can stand for more: one value in a
 * structure or two, with a null beside it; who claims more than that wants memory.
 */
const VALUES_PER_BYTE_MAX = 4;
/** Short Data may nest what costs no byte. */
const VALUES_FREE = 64;

const STRICT: Leniency = {};

/** The Data that fills `bytes`. Errors: those of `readData`, `trailing-bytes`. */
export function decodeData(bytes: Uint8Array, leniency: Leniency = STRICT): Data {
  const reader = new Reader(bytes);
  const data = readData(reader, leniency);
  if (reader.remaining > 0) {
    throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after the data`, {
      offset: reader.offset,
    });
  }
  return data;
}

/**
 * The next Data (A-XDR, IEC 61334-6). Errors: `truncated`, `unknown-tag`, `too-deep`, `bad-count`
 * when a count claims more elements than bytes are left, `too-many-values`, `bad-length`.
 */
export function readData(reader: Reader, leniency: Leniency = STRICT): Data {
  const most = VALUES_FREE + VALUES_PER_BYTE_MAX * reader.remaining;
  return readTagged({ reader, leniency, depth: 0, values: Math.min(DATA_VALUES_MAX, most) });
}

export function encodeData(data: Data): Uint8Array {
  return writeData(new Writer(), data).finish();
}

/** Errors: `out-of-range` when a number does not fit its type. */
export function writeData(writer: Writer, data: Data): Writer {
  const codec = CODECS[data.type] as Codec<unknown>;
  if (codec.tag !== UNTAGGED) writer.u8(codec.tag);
  codec.write(writer, data.value);
  return writer;
}

interface Walk {
  readonly reader: Reader;
  readonly leniency: Leniency;
  depth: number;
  /** How many more may come. */
  values: number;
}

interface Codec<Value> {
  readonly tag: number;
  read(walk: Walk): Value;
  write(writer: Writer, value: Value): void;
}

const UNTAGGED = -1;

function readTagged(walk: Walk): Data {
  const { reader } = walk;
  const tag = reader.u8('tag');
  const entry = BY_TAG[tag];
  if (entry === undefined) {
    throw new OperatingError('unknown-tag', `no Data has the tag 0x${tag.toString(16)}`, {
      offset: reader.offset - 1,
      field: 'tag',
    });
  }
  return { type: entry.type, value: entry.codec.read(walk) } as Data;
}

function readElements(walk: Walk): readonly Data[] {
  const { reader } = walk;
  const count = readCount(walk);
  descend(walk);
  const elements: Data[] = [];
  for (let index = 0; index < count; index += 1) {
    elements.push(readTagless(reader, walk.leniency, index, count) ?? readTagged(walk));
  }
  walk.depth -= 1;
  return elements;
}

/** As `readElements`, but where leniency allows it, what arrived before the end is kept. */
function readStructure(walk: Walk): readonly Data[] {
  const { shortStructure } = walk.leniency;
  if (shortStructure === undefined || walk.depth > 0) return readElements(walk);
  const count = readCount(walk);
  walk.depth = 1;
  const elements: Data[] = [];
  try {
    while (elements.length < count) elements.push(readTagged(walk));
  } catch (error) {
    if (!(error instanceof OperatingError) || error.code !== 'truncated') throw error;
    walk.reader.offset = walk.reader.end;
    shortStructure(error);
  }
  walk.depth = 0;
  return elements;
}

/** Every element takes at least the byte of its tag, so a larger count is false. */
function readCount(walk: Walk): number {
  const { reader } = walk;
  const offset = reader.offset;
  const count = readLength(reader, 'count');
  const most = walk.depth === 0 && walk.leniency.shortStructure !== undefined ? 255 : 0;
  if (count > reader.remaining && count > most) {
    throw new OperatingError('bad-count', `${count} elements in ${reader.remaining} bytes`, {
      offset,
      field: 'count',
    });
  }
  charge(walk, count);
  return count;
}

function charge(walk: Walk, count: number): void {
  walk.values -= count;
  if (walk.values < 0) {
    throw new OperatingError('too-many-values', 'more values than so many bytes can bring', {
      offset: walk.reader.offset,
    });
  }
}

function descend(walk: Walk): void {
  walk.depth += 1;
  if (walk.depth > DATA_DEPTH_MAX) {
    throw new OperatingError('too-deep', `nested more than ${DATA_DEPTH_MAX} deep`, {
      offset: walk.reader.offset,
    });
  }
}

function writeElements(writer: Writer, elements: readonly Data[]): void {
  writeLength(writer, elements.length);
  for (const element of elements) writeData(writer, element);
}

function readCompactArray(walk: Walk): CompactArray {
  const { reader } = walk;
  const offset = reader.offset;
  const description = readTypeDescription(reader, DATA_DEPTH_MAX - walk.depth, typeOfTag);
  if (takesNothing(description)) {
    throw new OperatingError('bad-count', 'elements without bytes cannot be counted', {
      offset,
      field: 'type-description',
    });
  }
  const length = readLength(reader, 'array-contents');
  const start = reader.advance(length, 'array-contents');
  const contents: Walk = { ...walk, reader: new Reader(reader.bytes, start, start + length) };
  const elements: Data[] = [];
  while (contents.reader.remaining > 0) {
    charge(contents, 1);
    elements.push(readUntagged(contents, description));
  }
  walk.values = contents.values;
  return { description, elements };
}

/** An element of a compact array: its type is known, so it carries no tag. */
function readUntagged(walk: Walk, description: TypeDescription): Data {
  switch (description.type) {
    case 'array': {
      charge(walk, description.count);
      const elements: Data[] = [];
      while (elements.length < description.count) {
        elements.push(readUntagged(walk, description.element));
      }
      return { type: 'array', value: elements };
    }
    case 'structure':
      charge(walk, description.elements.length);
      return {
        type: 'structure',
        value: description.elements.map((element) => readUntagged(walk, element)),
      };
    default:
      return { type: description.type, value: CODECS[description.type].read(walk) } as Data;
  }
}

function writeCompactArray(writer: Writer, { description, elements }: CompactArray): void {
  writeTypeDescription(writer, description, (type) => CODECS[type].tag);
  const contents = new Writer();
  for (const element of elements) writeUntagged(contents, element);
  writeLength(writer, contents.length).bytes(contents.finish());
}

function writeUntagged(writer: Writer, data: Data): void {
  if (data.type === 'array' || data.type === 'structure') {
    for (const element of data.value) writeUntagged(writer, element);
  } else {
    (CODECS[data.type] as Codec<unknown>).write(writer, data.value);
  }
}

function octets(tag: number): Codec<Uint8Array> {
  return {
    tag,
    read: ({ reader }) => reader.take(readLength(reader, 'octet-string'), 'octet-string'),
    write: (writer, value) => writeLength(writer, value.length).bytes(value),
  };
}

function fixedOctets(tag: number, length: number): Codec<Uint8Array> {
  return {
    tag,
    read: ({ reader }) => reader.take(length, 'date-time'),
    write: (writer, value) => writer.bytes(inRange(value, value.length, length, length)),
  };
}

function text(
  tag: number,
  fromBytes: (bytes: Uint8Array) => string,
  toBytes: (value: string) => Uint8Array,
): Codec<string> {
  return {
    tag,
    read: ({ reader }) => fromBytes(reader.take(readLength(reader, 'string'), 'string')),
    write: (writer, value) => {
      const bytes = toBytes(value);
      writeLength(writer, bytes.length).bytes(bytes);
    },
  };
}

const BIT_STRING: Codec<BitString> = {
  tag: 4,
  read: ({ reader }) => {
    const bitLength = readLength(reader, 'bit-string');
    return { bitLength, bytes: reader.take(Math.ceil(bitLength / 8), 'bit-string') };
  },
  write: (writer, { bitLength, bytes }) => {
    const length = Math.ceil(bitLength / 8);
    writeLength(writer, bitLength).bytes(inRange(bytes, bytes.length, length, length));
  },
};

const I8 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.i8(),
  write: (writer, value) => writer.u8(inRange(value, value, -0x80, 0x7f)),
});
const U8 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.u8(),
  write: (writer, value) => writer.u8(inRange(value, value, 0, 0xff)),
});
const I16 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.i16(),
  write: (writer, value) => writer.u16(inRange(value, value, -0x8000, 0x7fff)),
});
const U16 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.u16(),
  write: (writer, value) => writer.u16(inRange(value, value, 0, 0xffff)),
});
const I32 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.i32(),
  write: (writer, value) => writer.u32(inRange(value, value, -0x8000_0000, 0x7fff_ffff)),
});
const U32 = (tag: number): Codec<number> => ({
  tag,
  read: ({ reader }) => reader.u32(),
  write: (writer, value) => writer.u32(inRange(value, value, 0, 0xffff_ffff)),
});
const NOTHING = (tag: number): Codec<null> => ({
  tag,
  read: () => null,
  write: () => undefined,
});

type Amount = number | bigint;

function inRange<Value>(value: Value, number: Amount, least: Amount, most: Amount): Value {
  if (number >= least && number <= most) return value;
  throw new OperatingError('out-of-range', `${number} is not within ${least} … ${most}`);
}

/** The CHOICE in the standard's order, with its tags. */
const CODECS: { readonly [Type in DataType]: Codec<DataValues[Type]> } = {
  'null-data': NOTHING(0),
  array: { tag: 1, read: readElements, write: writeElements },
  structure: { tag: 2, read: readStructure, write: writeElements },
  boolean: {
    tag: 3,
    read: ({ reader }) => reader.u8() !== 0,
    write: (writer, value) => writer.u8(value ? 1 : 0),
  },
  'bit-string': BIT_STRING,
  'double-long': I32(5),
  'double-long-unsigned': U32(6),
  'octet-string': octets(9),
  'visible-string': text(10, latin1FromBytes, bytesFromLatin1),
  'utf8-string': text(12, utf8FromBytes, bytesFromUtf8),
  bcd: I8(13),
  integer: I8(15),
  long: I16(16),
  unsigned: U8(17),
  'long-unsigned': U16(18),
  'compact-array': { tag: 19, read: readCompactArray, write: writeCompactArray },
  long64: {
    tag: 20,
    read: ({ reader }) => reader.i64(),
    write: (writer, value) => writer.u64(inRange(value, value, -(2n ** 63n), 2n ** 63n - 1n)),
  },
  'long64-unsigned': {
    tag: 21,
    read: ({ reader }) => reader.u64(),
    write: (writer, value) => writer.u64(inRange(value, value, 0n, 2n ** 64n - 1n)),
  },
  enum: U8(22),
  float32: {
    tag: 23,
    read: ({ reader }) => reader.f32(),
    write: (writer, value) => writer.f32(value),
  },
  float64: {
    tag: 24,
    read: ({ reader }) => reader.f64(),
    write: (writer, value) => writer.f64(value),
  },
  'date-time': fixedOctets(25, 12),
  date: fixedOctets(26, 5),
  time: fixedOctets(27, 4),
  'delta-integer': I8(28),
  'delta-long': I16(29),
  'delta-double-long': I32(30),
  'delta-unsigned': U8(31),
  'delta-long-unsigned': U16(32),
  'delta-double-long-unsigned': U32(33),
  'dont-care': NOTHING(255),
  'cosem-attribute-descriptor': {
    tag: UNTAGGED,
    read: ({ reader }) => readDescriptor(reader),
    write: writeDescriptor,
  },
};

interface Entry {
  readonly type: DataType;
  readonly codec: Codec<unknown>;
}

const BY_TAG: readonly (Entry | undefined)[] = Array.from({ length: 256 }, (_, tag) => {
  const found = Object.entries(CODECS).find(([, codec]) => codec.tag === tag);
  return found && { type: found[0] as DataType, codec: found[1] };
});

function typeOfTag(tag: number): DataType | undefined {
  return BY_TAG[tag]?.type;
}
