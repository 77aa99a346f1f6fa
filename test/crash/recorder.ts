import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, 'recorder.c');
const COMPILER = '/usr/bin/gcc';

/** `false`, or the reason to hand to a test's `skip`. */
export const withoutCompiler: string | false =
  existsSync(COMPILER) && existsSync('/usr/include/stdio.h')
    ? false
    : 'no C compiler for the I/O recorder: install the Debian packages gcc and libc6-dev';

/** What the recorder does to a process; see recorder.c. */
export interface Recording {
  /** The directory whose files it watches. */
  readonly watch: string;
  /** Where the log of changes goes; none is written without it. */
  readonly log?: string;
  /** Leaves the bytes of writes out of the log. */
  readonly withoutBytes?: boolean;
  /** Descriptor whose writes are logged as marks. */
  readonly marks?: number;
  /** By how much each fsync takes longer. */
  readonly syncMs?: number;
  /** File that says which fault the disk has at present. */
  readonly faults?: string;
  /** Operation at which the process dies: letter, name of the file, and how many of them. */
  readonly kill?: string;
}

let library: string | undefined;

/** The environment under which a process is recorded. Compiles the shim on first use. */
export function recorded(recording: Recording): Readonly<Record<string, string>> {
  library ??= compile();
  const { watch, log, withoutBytes, marks, syncMs, faults, kill } = recording;
  const settings: Record<string, string | number | undefined> = {
    LD_PRELOAD: library,
    RECORDER_WATCH: watch,
    RECORDER_LOG: log,
    RECORDER_BYTES: withoutBytes === true ? 0 : undefined,
    RECORDER_MARKS: marks,
    RECORDER_SYNC_MS: syncMs,
    RECORDER_FAULTS: faults,
    RECORDER_KILL: kill,
  };
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}

function compile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-recorder-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  const file = join(folder, 'recorder.so');
  const options = ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-pthread', '-o', file, SOURCE];
  const result = spawnSync(COMPILER, options, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the recorder does not compile: ${result.stderr}`);
  return file;
}
