import type { Reader, Writer } from '#bytes/cursor.ts';
import type { AttributeDescriptor } from './data.ts';

export const DESCRIPTOR_BYTES = 9;
/** No interface class has more attributes (IEC 62056-6-2); a larger number is no descriptor. */
const ATTRIBUTE_ID_MAX = 32;

export function readDescriptor(reader: Reader): AttributeDescriptor {
  return {
    classId: reader.u16('class-id'),
    instanceId: reader.take(6, 'instance-id'),
    attributeId: reader.i8('attribute-id'),
  };
}

export function writeDescriptor(writer: Writer, descriptor: AttributeDescriptor): void {
  writer.u16(descriptor.classId).bytes(descriptor.instanceId).u8(descriptor.attributeId);
}

/**
 * Whether an untagged descriptor begins here, as the first of two elements: a class below 256, a
 * logical name of the current billing period (group F 255) and a possible attribute. Errors:
 * `truncated` where too little is left to tell it from null-data.
 */
export function descriptorAhead(reader: Reader, count: number): boolean {
  const { bytes, offset } = reader;
  if (count !== 2 || reader.peek() !== 0) return false;
  reader.advance(DESCRIPTOR_BYTES, 'attribute-descriptor');
  reader.offset = offset;
  return isDescriptorAt(bytes, offset);
}

/** As `descriptorAhead`, where all its bytes are known to be there and the first to be zero. */
export function isDescriptorAt(bytes: Uint8Array, offset: number): boolean {
  const attributeId = bytes[offset + 8] ?? 0;
  return bytes[offset + 7] === 0xff && attributeId > 0 && attributeId <= ATTRIBUTE_ID_MAX;
}
