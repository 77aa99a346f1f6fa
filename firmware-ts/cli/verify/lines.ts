import { open } from 'node:fs/promises';
import { OperatingError } from '#bytes/failure.ts';

/** The largest payload in hex, and its topic. */
const LINE_CHARACTERS_MAX = 2 * (1 << 20) + 1024;

/**
 * The lines of a file, or of standard input for `-`, one at a time: captures are larger than
 * memory. A line that is too long for any message is given as `undefined`.
 * Errors: `missing-file`, `unreadable-file`.
 */
export async function* linesOf(
  argument: string,
  standardInput: AsyncIterable<Uint8Array>,
): AsyncGenerator<string | undefined> {
  if (argument === '-') {
    yield* split(standardInput);
    return;
  }
  await using file = await opened(argument);
  yield* split(file.createReadStream({ autoClose: false }));
}

async function opened(path: string) {
  try {
    const file = await open(path);
    if (!(await file.stat()).isDirectory()) return file;
    await file.close();
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new OperatingError(missing ? 'missing-file' : 'unreadable-file', message, {
      cause,
      path,
    });
  }
  throw new OperatingError('unreadable-file', 'it is a folder', { path });
}

async function* split(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  let begun = '';
  let tooLong = false;
  for await (const chunk of chunks) {
    // Topics and payloads are ASCII; what is not makes no message whichever way it is read.
    const [first = '', ...later] = Buffer.from(chunk).toString('latin1').split('\n');
    begun = tooLong ? '' : begun + first;
    tooLong ||= begun.length > LINE_CHARACTERS_MAX;
    for (const next of later) {
      yield tooLong ? undefined : begun;
      begun = next;
      tooLong = begun.length > LINE_CHARACTERS_MAX;
    }
  }
  if (begun !== '' || tooLong) yield tooLong ? undefined : begun;
}
