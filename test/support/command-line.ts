import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';

const NORMCTL = join(import.meta.dirname, '../../firmware-ts/cli/normctl.ts');

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A gateway's serial console: the plainest there is. */
const PLAIN_ENVIRONMENT = { TERM: 'vt100', LANG: 'C', LC_ALL: 'C' };

/** normctl as a process of its own; whoever starts it ends it. */
export function startNormctl(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [NORMCTL, ...words], {
    env: { PATH: process.env['PATH'], ...PLAIN_ENVIRONMENT, ...environment },
  });
}

export function endOf(
  child: ChildProcessWithoutNullStreams,
): Promise<Pick<Ran, 'status' | 'signal'>> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal }));
  });
}

/** Runs normctl to its end, with `input` on its standard input. */
export async function runNormctl(
  words: readonly string[],
  options: { readonly input?: Uint8Array | string; readonly env?: Record<string, string> } = {},
): Promise<Ran> {
  return ranToItsEnd(startNormctl(words, options.env), options.input);
}

/** `ulimit -f` counts in these. */
const LIMIT_UNIT_BYTES = 512;

/** Runs normctl on a disk that takes no more than so much of one file. */
export async function runNormctlWithLittleRoom(
  words: readonly string[],
  fileBytesMax: number,
): Promise<Ran> {
  const script = `ulimit -f ${fileBytesMax / LIMIT_UNIT_BYTES}; exec "$0" "$@"`;
  const child = spawn('/bin/sh', ['-c', script, process.execPath, NORMCTL, ...words], {
    env: { PATH: process.env['PATH'], ...PLAIN_ENVIRONMENT },
  });
  return ranToItsEnd(child);
}

async function ranToItsEnd(
  child: ChildProcessWithoutNullStreams,
  input: Uint8Array | string = '',
): Promise<Ran> {
  child.stdin.end(input);
  const [out, err, end] = await Promise.all([text(child.stdout), text(child.stderr), endOf(child)]);
  return { ...end, out, err };
}

/** Lines of ASCII alone: what any terminal and any serial line can show. */
export const ASCII_LINES = /^[ -~\n]*$/;

/** What `--json` prints. */
export interface Envelope {
  readonly normctl: number;
  readonly verb: string;
  readonly ok: boolean;
  readonly data?: unknown;
  readonly problems?: readonly { readonly code: string }[];
}

export function envelope(out: string): Envelope {
  assert.equal(out.trim().split('\n').length, 1, 'an envelope is one line');
  return JSON.parse(out) as Envelope;
}
