import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { OperatingError } from '#bytes/failure.ts';
import type { Compression } from '#contract/envelope.ts';

/** A fifth smaller than level 3 on packs of some hundred bytes; higher ones gain no more. */
const LEVEL = 9;
/** Of the window that a frame may claim, which is allocated: twice the largest payload. */
const WINDOW_LOG_MAX = 21;

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
        params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
        ...dictionaryOption(dictionary),
      });
    } catch (cause) {
      const long = isTooLarge(cause);
      throw new OperatingError(
        long ? 'too-large' : 'bad-compression',
        long ? `over ${bytesMax} bytes` : 'no Zstandard frame of this dictionary',
        { cause },
      );
    }
  },
};

/** More came out than may, or a window was claimed from which more could come. */
function isTooLarge(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return cause instanceof RangeError || code === 'ZSTD_error_frameParameter_windowTooLarge';
}

function dictionaryOption(dictionary: Uint8Array | undefined) {
  return dictionary === undefined ? {} : { dictionary };
}
