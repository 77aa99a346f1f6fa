/** Bits of the xDLMS conformance block, by number (IEC 62056-5-3, 7.3.1, Table 66). */
const CONFORMANCE_BITS = {
  generalProtection: 1,
  generalBlockTransfer: 2,
  read: 3,
  write: 4,
  unconfirmedWrite: 5,
  deltaValueEncoding: 6,
  attribute0SupportedWithSet: 8,
  priorityManagementSupported: 9,
  attribute0SupportedWithGet: 10,
  blockTransferWithGetOrRead: 11,
  blockTransferWithSetOrWrite: 12,
  blockTransferWithAction: 13,
  multipleReferences: 14,
  informationReport: 15,
  dataNotification: 16,
  access: 17,
  parameterizedAccess: 18,
  get: 19,
  set: 20,
  selectiveAccess: 21,
  eventNotification: 22,
  action: 23,
} as const;

export type ConformanceBit = keyof typeof CONFORMANCE_BITS;

/** What both sides can do, as 24 bits; bit 0 of the standard is the most significant. */
export type Conformance = ReadonlySet<ConformanceBit>;

const NAMES = Object.keys(CONFORMANCE_BITS) as readonly ConformanceBit[];
const BITS = 24;

/** Reserved bits have no name and are left out. */
export function conformanceFrom(bits: number): Conformance {
  return new Set(NAMES.filter((name) => (bits & maskOf(name)) !== 0));
}

export function bitsOfConformance(conformance: Iterable<ConformanceBit>): number {
  let bits = 0;
  for (const name of conformance) bits |= maskOf(name);
  return bits;
}

function maskOf(name: ConformanceBit): number {
  return 1 << (BITS - 1 - CONFORMANCE_BITS[name]);
}
