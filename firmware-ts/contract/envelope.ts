import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { readItem, writeBytes, writeHead, writeInteger } from '#reading/senml-cbor.ts';
import { PACK_BYTES_MAX } from '#reading/senml-decode.ts';
import { dictionaryOf } from './dictionaries.ts';
import type { DictionaryNumber } from './dictionaries.ts';

/** Zstandard (RFC 8878) of the machine; a dictionary is raw content. */
export interface Compression {
  compress(bytes: Uint8Array, dictionary?: Uint8Array): Uint8Array;
  /** Errors: `bad-compression`, `too-large` when more than `bytesMax` would come out. */
  decompress(bytes: Uint8Array, bytesMax: number, dictionary?: Uint8Array): Uint8Array;
}

const FIELD = { dictionary: 1, frame: 2 } as const;
/** Lead byte of a map of two: a pack is an array (0x80 … 0x9b), a pack in JSON begins with `[`. */
const MAP_OF_TWO = 0xa2;
const MAJOR_MAP = 5;
/** More than the map, its two keys, the number and the head of a byte string take. */
const OVERHEAD_BYTES = 12;

/**
 * The payload in an envelope, a CBOR map `{1: dictionary number, 2: Zstandard frame}`, or as it
 * is where that is not longer.
 */
export function wrapPayload(
  payload: Uint8Array,
  compression: Compression,
  number: DictionaryNumber = 1,
): Uint8Array {
  const frame = compression.compress(payload, dictionaryOf(number));
  const writer = new Writer(frame.length + OVERHEAD_BYTES);
  writeHead(writer, MAJOR_MAP, 2);
  writeInteger(writer, FIELD.dictionary);
  writeInteger(writer, number);
  writeInteger(writer, FIELD.frame);
  writeBytes(writer, frame);
  return writer.length < payload.length ? writer.finish() : payload;
}

/**
 * What is in an envelope; a payload without one is given back as it is. Errors: those of
 * `readItem`, `bad-envelope`, `unknown-dictionary`, `bad-compression`, `too-large`.
 */
export function unwrapPayload(payload: Uint8Array, compression: Compression): Uint8Array {
  if (payload[0] !== MAP_OF_TWO) return payload;
  if (payload.length > PACK_BYTES_MAX) throw new OperatingError('too-large', 'envelope');
  const reader = new Reader(payload);
  const item = readItem(reader, 'envelope');
  const fields = item instanceof Map ? (item as ReadonlyMap<unknown, unknown>) : undefined;
  const frame = fields?.get(FIELD.frame);
  if (fields === undefined || !(frame instanceof Uint8Array) || reader.remaining > 0) {
    throw new OperatingError('bad-envelope', 'no {dictionary, frame}', { field: 'envelope' });
  }
  const dictionary = dictionaryOf(fields.get(FIELD.dictionary));
  return compression.decompress(frame, PACK_BYTES_MAX, dictionary);
}
