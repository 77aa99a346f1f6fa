/**
 * `Data` of COSEM (IEC 62056-6-2, 4.1.5, Table 2). Every member has the same two fields, so that
 * all values of a large profile share one shape in memory.
 */
export type Data = { [Type in DataType]: DataOf<Type> }[DataType];

export interface DataOf<Type extends DataType> {
  readonly type: Type;
  readonly value: DataValues[Type];
}

export type DataType = keyof DataValues;

/** What each type holds. Byte strings share memory with what they were decoded from. */
export interface DataValues {
  readonly 'null-data': null;
  readonly array: readonly Data[];
  readonly structure: readonly Data[];
  readonly boolean: boolean;
  readonly 'bit-string': BitString;
  readonly 'double-long': number;
  readonly 'double-long-unsigned': number;
  readonly 'octet-string': Uint8Array;
  /** One character a byte; a byte above 127 is the Latin-1 character of that number. */
  readonly 'visible-string': string;
  readonly 'utf8-string': string;
  readonly bcd: number;
  readonly integer: number;
  readonly long: number;
  readonly unsigned: number;
  readonly 'long-unsigned': number;
  readonly 'compact-array': CompactArray;
  readonly long64: bigint;
  readonly 'long64-unsigned': bigint;
  readonly enum: number;
  readonly float32: number;
  readonly float64: number;
  /** 12 bytes; `dateTimeFrom` reads them. */
  readonly 'date-time': Uint8Array;
  /** 5 bytes. */
  readonly date: Uint8Array;
  /** 4 bytes. */
  readonly time: Uint8Array;
  readonly 'delta-integer': number;
  readonly 'delta-long': number;
  readonly 'delta-double-long': number;
  readonly 'delta-unsigned': number;
  readonly 'delta-long-unsigned': number;
  readonly 'delta-double-long-unsigned': number;
  readonly 'dont-care': null;
  /**
   * No member of the CHOICE: a COSEM attribute descriptor that Czech meters (Sagemcom XT211 and
   * others after the grid operators' specification) put, without a tag, where a Data belongs.
   */
  readonly 'cosem-attribute-descriptor': AttributeDescriptor;
}

/** Bits from the most significant of the first byte on. */
export interface BitString {
  readonly bitLength: number;
  readonly bytes: Uint8Array;
}

export interface CompactArray {
  readonly description: TypeDescription;
  readonly elements: readonly Data[];
}

/** The type that all elements of a compact array share. */
export type TypeDescription =
  | { readonly type: 'array'; readonly count: number; readonly element: TypeDescription }
  | { readonly type: 'structure'; readonly elements: readonly TypeDescription[] }
  | { readonly type: Exclude<DataType, 'array' | 'structure' | 'compact-array'> };

/** Class, instance and attribute (IEC 62056-5-3, 8.4: Cosem-Attribute-Descriptor). */
export interface AttributeDescriptor {
  readonly classId: number;
  /** Logical name, 6 bytes. */
  readonly instanceId: Uint8Array;
  readonly attributeId: number;
}
