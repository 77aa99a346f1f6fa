import { open, stat } from 'node:fs/promises';
import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { quoted } from '#config/quoted.ts';
import { bareDigits, isHexText, streamsOf } from './streams.ts';
import type { InputStream } from './streams.ts';

/** It is held in memory: an hour of a PMU at 50 frames/s is 20 MB. */
const INPUT_MEBIBYTES_MAX = 64;

/**
 * The streams of a file, of hex digits, or of standard input for `-`; of 64 MiB at most.
 * Errors: `missing-file`, `unreadable-file`, `too-large`, `empty-input`, and those of `streamsOf`.
 */
export async function readInput(
  argument: string,
  standardInput: AsyncIterable<Uint8Array>,
): Promise<readonly InputStream[]> {
  const bytes = await bytesOf(argument, standardInput);
  const streams = streamsOf(bytes);
  if (streams.some(({ chunks }) => chunks.some(({ length }) => length > 0))) return streams;
  throw new OperatingError('empty-input', 'there are no bytes in it', {
    hint: 'give a file, hex digits, or - for standard input',
  });
}

async function bytesOf(
  argument: string,
  standardInput: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  if (argument === '-') return gathered(standardInput);
  if (await isThere(argument)) return fileBytes(argument);
  if (isHexText(argument)) return fromHex(bareDigits(argument));
  throw new OperatingError('missing-file', `${quoted(argument)} is neither a file nor hex digits`, {
    hint: 'check the path; in hex, white space, : and - may stand between bytes',
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // A folder that may not be searched is told when the file is opened.
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}

async function fileBytes(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    return await gathered(file.createReadStream({ autoClose: false }));
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new OperatingError('unreadable-file', message, {
      cause,
      hint: 'it must be a file that you may read',
    });
  }
}

async function gathered(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > INPUT_MEBIBYTES_MAX << 20) {
      throw new OperatingError('too-large', `longer than ${INPUT_MEBIBYTES_MAX} MiB`, {
        hint: 'cut it into pieces, a capture for example with editcap -c',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
