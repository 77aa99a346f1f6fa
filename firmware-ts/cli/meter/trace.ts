import { closeSync, openSync, writeSync } from 'node:fs';
import { OperatingError } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import { tracing } from '#link/trace.ts';
import { machineClock } from '#system/clock.ts';

/**
 * Does `work` with links that leave a trace in `file`, or as they are without one. The file is its
 * owner's alone: readings are somebody's private life. Errors: `unwritable-file`.
 */
export async function traced<Result>(
  file: string | boolean | undefined,
  secrets: readonly Uint8Array[],
  work: (through: (link: Link) => Link) => Promise<Result>,
): Promise<Result> {
  if (typeof file !== 'string') return work((link) => link);
  const descriptor = openedNew(file);
  const write = (line: string): void => void writeSync(descriptor, `${line}\n`);
  try {
    return await work(tracing({ clock: machineClock, secrets, write }));
  } finally {
    closeSync(descriptor);
  }
}

/** Never over another file: a capture from the field is not had twice. */
function openedNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new OperatingError('unwritable-file', message, {
      cause,
      path,
      hint: 'name a new file in a folder that you may write to',
    });
  }
}
