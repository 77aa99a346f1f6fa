import type { AttributeDescriptor } from './data.ts';
import type { Layout } from './layout.ts';
import { DATA, U16, U8, octets, optional, sequence } from './layout.ts';
import type { Data } from './data.ts';
import type { MethodDescriptor } from './service.ts';

/** The part of an attribute that is meant (IEC 62056-5-3, 8.4: Selective-Access-Descriptor). */
export interface AccessSelection {
  readonly accessSelector: number;
  readonly accessParameters: Data;
}

/** Cosem-Attribute-Descriptor-With-Selection. */
export interface SelectedAttribute {
  readonly attribute: AttributeDescriptor;
  readonly accessSelection?: AccessSelection;
}

export const ATTRIBUTE: Layout<AttributeDescriptor> = sequence<AttributeDescriptor>({
  classId: U16,
  instanceId: octets(6),
  attributeId: {
    read: (reader, field) => reader.i8(field),
    write: (writer, value) => void writer.u8(value & 0xff),
  },
});

export const METHOD: Layout<MethodDescriptor> = sequence<MethodDescriptor>({
  classId: U16,
  instanceId: octets(6),
  methodId: {
    read: (reader, field) => reader.i8(field),
    write: (writer, value) => void writer.u8(value & 0xff),
  },
});

export const ACCESS_SELECTION: Layout<AccessSelection> = sequence<AccessSelection>({
  accessSelector: U8,
  accessParameters: DATA,
});

export const SELECTED_ATTRIBUTE: Layout<SelectedAttribute> = sequence<SelectedAttribute>({
  attribute: ATTRIBUTE,
  accessSelection: optional(ACCESS_SELECTION),
});
