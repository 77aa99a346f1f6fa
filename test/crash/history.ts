import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IoEvent, readIoLog } from './io-log.ts';
import { recorded } from './recorder.ts';
import { type Image, Volume } from './volume.ts';

/** States are made by the thousand: in memory, where there is such a file system. */
export const FAST_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Name of the store's directory below the one that is watched. */
export const STATE = 'state';

/** One process on the store: `workload.ts` with its arguments, or `faults.ts`. */
export interface Life {
  readonly appends: number;
  /** The disk fails in every way and mends. */
  readonly faults?: true;
  readonly end: 'close' | 'kill';
  /** How long commits wait for others; as long as they do by themselves unless told. */
  readonly commitDelayMs?: number;
  /** The operation at which it is killed before its end, in the recorder's words. */
  readonly killedAt?: string;
  /** How the file is spoilt: before the store opens it, or while it is open. */
  readonly damage?: 'header' | 'page' | 'later';
}

/** What was there before the first life, and the facts (obligations.ts) that hold for it. */
export interface Base {
  readonly image: Image;
  readonly facts: readonly string[];
  /** The first number that was never used. */
  readonly next: number;
}

export const NOTHING: Base = { image: new Map(), facts: [], next: 0 };

/** What was recorded of some lives, one after another on the same directory. */
export interface History {
  readonly base: Base;
  readonly watch: string;
  readonly events: readonly IoEvent[];
}

const WORKLOAD = join(import.meta.dirname, 'workload.ts');
const FAULTS = join(import.meta.dirname, 'faults.ts');
/** Numbers that a life may use beyond its appends. */
const NUMBERS_OF_A_LIFE = 10_000;

/** Runs the lives, and proves on the way that the recorder saw every byte. */
export async function recordHistory(base: Base, lives: readonly Life[]): Promise<History> {
  const folder = mkdtempSync(join(FAST_FOLDER, 'normd-history-'));
  const watch = join(folder, 'watched');
  const log = join(folder, 'log');
  mkdirSync(watch);
  write(base.image, watch);
  try {
    for (const [index, life] of lives.entries()) {
      await live(life, base.next + index * NUMBERS_OF_A_LIFE, watch, log);
    }
    const history = { base, watch, events: readIoLog(readFileSync(log)) };
    assertComplete(history);
    return history;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes the files of an image below `folder`. */
export function write(image: Image, folder: string): void {
  for (const [path, bytes] of image) {
    if (bytes === undefined) mkdirSync(join(folder, path));
    else writeFileSync(join(folder, path), bytes);
  }
}

async function live(life: Life, first: number, watch: string, log: string): Promise<void> {
  const { appends, end, damage = '', killedAt: kill, commitDelayMs = 10 } = life;
  const place = [join(watch, STATE), String(first)];
  const faults = `${log}.faults`;
  const words =
    life.faults === true
      ? [FAULTS, ...place, faults]
      : [WORKLOAD, ...place, String(appends), end, String(commitDelayMs), damage];
  const facts = openSync(`${log}.facts`, 'a');
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...recorded({ watch, log, marks: 1, faults, ...(kill && { kill }) }) },
    stdio: ['ignore', facts, 'inherit'], // a file never makes the writer wait, as a pipe does
  });
  closeSync(facts);
  const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const expected = end === 'kill' || kill !== undefined ? signal === 'SIGKILL' : status === 0;
  if (!expected) throw new Error(`the recorded life ended with ${String(signal ?? status)}`);
}

/** The replay of all that was recorded must be what lies there, octet for octet. */
function assertComplete({ base, watch, events }: History): void {
  const volume = new Volume(watch, base.image);
  for (const event of events) volume.take(event);
  for (const [path, bytes] of volume.current()) {
    const there = existsSync(join(watch, path));
    const same = bytes === undefined || (there && readFileSync(join(watch, path)).equals(bytes));
    if (!there || !same) throw new Error(`the recorder has missed a change of ${path}`);
  }
}
