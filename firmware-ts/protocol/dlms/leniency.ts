import type { Reader } from '#bytes/cursor.ts';
import type { OperatingError } from '#bytes/failure.ts';
import { descriptorAhead, readDescriptor } from './attribute-descriptor.ts';
import type { Data } from './data.ts';

/** Faults of known meters that a decoder may overlook. */
export interface Leniency {
  /** Read untagged attribute descriptors where the standard wants a tagged Data. */
  readonly attributeDescriptors?: boolean;
  /** Read logical names that begin with their length, 06, where the tag 09 has its place. */
  readonly bareNames?: boolean;
  /** Take an outermost structure that ends before its count (Iskra lists claim 12, bring 8). */
  readonly shortStructure?: (failure: OperatingError) => void;
}

const NAME_BYTES = 6;
/** Group F of the names of current values; what follows a double-long-unsigned is a tag. */
const CURRENT = 0xff;

/**
 * An element, number `index` of `count`, that has no tag and is read all the same; `undefined`
 * where it has one. Errors: those of `descriptorAhead`.
 */
export function readTagless(
  reader: Reader,
  { attributeDescriptors, bareNames }: Leniency,
  index: number,
  count: number,
): Data | undefined {
  // A structure that could begin with null-data and an empty array is looked at twice.
  if (attributeDescriptors === true && index === 0 && descriptorAhead(reader, count)) {
    return { type: 'cosem-attribute-descriptor', value: readDescriptor(reader) };
  }
  if (bareNames !== true || !nameAhead(reader)) return undefined;
  reader.advance(1);
  return { type: 'octet-string', value: reader.take(NAME_BYTES, 'logical-name') };
}

function nameAhead({ bytes, offset, end }: Reader): boolean {
  const last = offset + NAME_BYTES;
  return last < end && bytes[offset] === NAME_BYTES && bytes[last] === CURRENT;
}
