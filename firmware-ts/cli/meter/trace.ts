import { closeSync, openSync, writeSync } from 'node:fs';
import { OperatingError } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import { traced } from '#link/trace.ts';
import { machineClock } from '#system/clock.ts';

/** A link, and what is to be done when it is closed. */
export interface TracedLink {
  readonly link: Link;
  readonly finish: () => void;
}

/**
 * The link with a trace of it in `file`, or as it is without one. The file is its owner's alone:
 * readings are somebody's private life. Errors: `unwritable-file`.
 */
export function tracedInto(
  file: string | boolean | undefined,
  link: Link,
  password: Uint8Array,
): TracedLink {
  if (typeof file !== 'string') return { link, finish: () => undefined };
  const descriptor = openedNew(file);
  const write = (line: string): void => void writeSync(descriptor, `${line}\n`);
  return {
    link: traced(link, { clock: machineClock, secrets: [password], write }),
    finish: () => closeSync(descriptor),
  };
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
