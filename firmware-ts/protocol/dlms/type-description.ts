import type { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { DataType, TypeDescription } from './data.ts';
import { readLength, writeLength } from './length.ts';

/**
 * TypeDescription of a compact array (IEC 62056-5-3, 8.4): a tag, for an array its number of
 * elements and their type, for a structure the types of its members. Errors: `too-deep`,
 * `bad-count`, `unknown-tag` (also for a compact array inside a compact array, which the standard
 * does not know), `truncated`.
 */
export function readTypeDescription(
  reader: Reader,
  depthLeft: number,
  typeOf: (tag: number) => DataType | undefined,
): TypeDescription {
  const offset = reader.offset;
  if (depthLeft <= 0) throw new OperatingError('too-deep', 'type nested too deep', { offset });
  const type = typeOf(reader.u8('type-description'));
  switch (type) {
    case 'array': {
      const count = reader.u16('number-of-elements');
      return { type, count, element: readTypeDescription(reader, depthLeft - 1, typeOf) };
    }
    case 'structure':
      return { type, elements: readMembers(reader, depthLeft - 1, typeOf) };
    case undefined:
    case 'compact-array':
      throw new OperatingError('unknown-tag', 'no type that a compact array can hold', {
        offset,
        field: 'type-description',
      });
    default:
      return { type };
  }
}

function readMembers(
  reader: Reader,
  depthLeft: number,
  typeOf: (tag: number) => DataType | undefined,
): readonly TypeDescription[] {
  const offset = reader.offset;
  const count = readLength(reader, 'type-description');
  if (count > reader.remaining) {
    throw new OperatingError('bad-count', `${count} members in ${reader.remaining} bytes`, {
      offset,
      field: 'type-description',
    });
  }
  const members: TypeDescription[] = [];
  while (members.length < count) members.push(readTypeDescription(reader, depthLeft, typeOf));
  return members;
}

/** Whether an element of this type has no bytes, so that any number of them fits anywhere. */
export function takesNothing(description: TypeDescription): boolean {
  switch (description.type) {
    case 'array':
      return description.count === 0 || takesNothing(description.element);
    case 'structure':
      return description.elements.every(takesNothing);
    default:
      return description.type === 'null-data' || description.type === 'dont-care';
  }
}

export function writeTypeDescription(
  writer: Writer,
  description: TypeDescription,
  tagOf: (type: DataType) => number,
): void {
  writer.u8(tagOf(description.type));
  if (description.type === 'array') {
    writer.u16(description.count);
    writeTypeDescription(writer, description.element, tagOf);
  } else if (description.type === 'structure') {
    writeLength(writer, description.elements.length);
    for (const member of description.elements) writeTypeDescription(writer, member, tagOf);
  }
}
