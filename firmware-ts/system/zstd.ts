import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { OperatingError } from '#bytes/failure.ts';
import type { Compression } from '#contract/envelope.ts';

/** A fifth smaller than level 3 on packs of some hundred bytes; higher ones gain no more. */
const LEVEL = 9;

const PARAMS = {
  [constants.ZSTD_c_compressionLevel]: LEVEL,
  // The envelope's length and the chain say what these would; they are six bytes of a hundred.
  [constants.ZSTD_c_contentSizeFlag]: 0,
  [constants.ZSTD_c_checksumFlag]: 0,
};

/** Zstandard of Node's zlib. */
export const machineZstd: Compression = {
  compress(bytes, dictionary) {
    return zstdCompressSync(bytes, { params: PARAMS, ...dictionaryOption(dictionary) });
  },
  decompress(bytes, bytesMax, dictionary) {
    try {
      return zstdDecompressSync(bytes, {
        maxOutputLength: bytesMax,
        ...dictionaryOption(dictionary),
      });
    } catch (cause) {
      const long = cause instanceof RangeError;
      throw new OperatingError(
        long ? 'too-large' : 'bad-compression',
        long ? `over ${bytesMax} bytes` : 'no Zstandard frame of this dictionary',
        { cause },
      );
    }
  },
};

function dictionaryOption(dictionary: Uint8Array | undefined) {
  return dictionary === undefined ? {} : { dictionary };
}
