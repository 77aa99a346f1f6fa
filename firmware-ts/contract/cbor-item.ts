import { OperatingError } from '#bytes/failure.ts';

/** A record is a map of scalars, arrays of scalars and decimal fractions; the rest is room. */
const DEPTH_MAX = 4;

const MAJOR = { bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

/**
 * Where the CBOR item that begins at `at` ends (RFC 8949, 3), without reading its value: what the
 * chain is computed over are bytes. Takes what `readItem` takes: definite lengths, no other simple
 * values than false, true, null and floats. Errors: `truncated`, `unsupported`, `too-deep`.
 */
export function endOfItem(bytes: Uint8Array, at: number, depth = 0): number {
  if (depth > DEPTH_MAX) refuse('too-deep', at);
  const lead = bytes[at] ?? refuse('truncated', at);
  const major = lead >>> 5;
  const information = lead & 0x1f;
  if (information < 24 && major < MAJOR.bytes) return at + 1;
  if (information > 27) refuse('unsupported', at);
  const width = information < 24 ? 0 : 1 << (information - 24);
  const next = within(bytes, at + 1 + width);
  if (major < MAJOR.bytes) return next;
  if (major === MAJOR.simple) return SIMPLE.has(information) ? next : refuse('unsupported', at);
  const count = width === 0 ? information : argument(bytes, at + 1, width);
  if (major <= MAJOR.text) return within(bytes, next + count);
  return endOfItems(bytes, next, itemsIn(major, count), depth);
}

/** Items that an array, a map or a tag of this count is followed by. */
function itemsIn(major: number, count: number): number {
  if (major === MAJOR.tag) return 1;
  return major === MAJOR.map ? 2 * count : count;
}

/** false, true, null and floats of 16, 32 and 64 bits. */
const SIMPLE: ReadonlySet<number> = new Set([20, 21, 22, 25, 26, 27]);

function endOfItems(bytes: Uint8Array, start: number, count: number, depth: number): number {
  within(bytes, start + count); // every item takes a byte at least
  let at = start;
  for (let index = 0; index < count; index += 1) at = endOfItem(bytes, at, depth + 1);
  return at;
}

function argument(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = at; index < at + width; index += 1) value = value * 256 + (bytes[index] ?? 0);
  return value;
}

function within(bytes: Uint8Array, end: number): number {
  return end <= bytes.length ? end : refuse('truncated', bytes.length);
}

function refuse(code: string, offset: number): never {
  throw new OperatingError(code, 'CBOR item of a record', { offset, field: 'record' });
}
