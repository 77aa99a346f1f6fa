import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { OperatingError } from '#bytes/failure.ts';
import { PACKING } from './schema.ts';

/** Setting up a compressor costs some 0.1 ms, which fewer bytes do not pay for. */
const COMPRESSED_LEAST_BYTES = 512;

/** The fastest; what repeats in meters' readings it finds as well as the slow ones. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Node gives a buffer of at least so many bytes memory of its own, not a part of its pool. */
const UNPOOLED_BYTES = Buffer.poolSize / 2;

/** Bytes as they lie in a row. */
export interface Packed {
  readonly packing: number;
  /** Of the plain bytes. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

export function pack(plain: Uint8Array): Packed {
  const size = plain.length;
  const compressed = size < COMPRESSED_LEAST_BYTES ? plain : zstdCompressSync(plain, LEVEL);
  if (compressed.length >= size) return { packing: PACKING.plain, size, bytes: plain };
  return { packing: PACKING.zstd, size, bytes: compressed };
}

/** Errors: `store-damaged`. */
export function unpack({ packing, size, bytes }: Packed): Uint8Array {
  if (packing !== PACKING.zstd) return bytes;
  try {
    const chunkSize = Math.max(UNPOOLED_BYTES, size + 1);
    const plain = zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, size), chunkSize });
    if (plain.length === size) return ownCopy(plain);
  } catch (cause) {
    throw new OperatingError('store-damaged', 'a row cannot be decompressed', { cause });
  }
  throw new OperatingError('store-damaged', 'a row is shorter than it was');
}

/**
 * The decompressor holds on to its buffer until the next major collection: a backlog would be in
 * memory with all that was read of it since the last one.
 */
function ownCopy(plain: Buffer<ArrayBuffer>): Uint8Array {
  const copy = new Uint8Array(plain);
  if (plain.buffer.byteLength !== Buffer.poolSize) plain.buffer.transfer(0);
  return copy;
}
