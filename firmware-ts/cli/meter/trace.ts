import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import { tracing } from '#link/trace.ts';
import { machineClock } from '#system/clock.ts';

export interface TraceFile {
  /** Absent: no trace is left. */
  readonly path: string | undefined;
  readonly secrets: readonly Uint8Array[];
  /** Told once, with `trace-cut`, when nothing more can be written. */
  readonly cut: (failure: Failure) => void;
}

/**
 * Does `work` with links that leave a trace in a file, or as they are without one. The file is its
 * owner's alone: readings are somebody's private life. A full disk ends the trace and not the work,
 * which may be half of a change to the meter. Errors: `unwritable-file`.
 */
export async function traced<Result>(
  { path, secrets, cut }: TraceFile,
  work: (through: (link: Link) => Link) => Promise<Result>,
): Promise<Result> {
  if (path === undefined) return work((link) => link);
  const descriptor = openedNew(path);
  let isCut = false;
  const write = (line: string): void => {
    if (isCut) return;
    try {
      appendFileSync(descriptor, `${line}\n`);
    } catch (cause) {
      isCut = true;
      cut(cutBy(cause, path));
    }
  };
  try {
    return await work(tracing({ clock: machineClock, secrets, write }));
  } finally {
    closeSync(descriptor);
  }
}

function cutBy(cause: unknown, path: string): Failure {
  return {
    code: 'trace-cut',
    message: `the trace breaks off, the meter is asked on: ${wordsOf(cause)}`,
    path,
    hint: 'make room and record it again, into another file',
  };
}

/** Never over another file: a capture from the field is not had twice. */
function openedNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (cause) {
    throw new OperatingError('unwritable-file', wordsOf(cause), {
      cause,
      path,
      hint: 'name a new file in a folder that you may write to',
    });
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
