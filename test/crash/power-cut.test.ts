import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { seeded } from '../support/seeded.ts';
import {
  type Base,
  FAST_FOLDER,
  type History,
  type Life,
  NOTHING,
  STATE,
  recordHistory,
  write,
} from './history.ts';
import { inspect } from './inspect.ts';
import { withoutCompiler as skip } from './recorder.ts';
import { storeOfVersion1 } from './version-1.ts';
import { type CrashState, checkpointsIn, crashStates } from './states.ts';

const STATES = Number(process.env['NORMD_CRASH_STATES'] ?? 2_400);
/** A state takes 10 ms, and ten times that where others use the machine. */
const TIMEOUT_MS = 120_000 + STATES * 100;
/** Broken states that are kept and named. */
const KEPT_MAX = 10;
const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);

/** It only takes up room, in every state the same 8 MiB. */
const RESERVE = `${STATE}/reserve`;

interface Scene {
  readonly title: string;
  /** What the first life finds; nothing unless told. */
  readonly base?: () => Base;
  readonly lives: readonly Life[];
  /** Lines that its lives must have written. */
  readonly answers?: readonly string[];
  /** At least so many checkpoints are in it. */
  readonly checkpoints?: number;
}

const SCENES: readonly Scene[] = [
  {
    title: 'a store that begins, is killed, and lives on',
    checkpoints: 1,
    lives: [
      { appends: 450, end: 'kill' },
      { appends: 100, end: 'close' },
      { appends: 100, end: 'kill' },
    ],
  },
  {
    title: 'a store that is killed before its fsync, and delivers what it finds',
    lives: [
      { appends: 100, end: 'kill', killedAt: 'S:store.db-wal:12' },
      { appends: 0, end: 'kill' },
      { appends: 50, end: 'close' },
    ],
  },
  {
    title: 'a store whose commits wait for more',
    lives: [
      { appends: 100, end: 'kill', commitDelayMs: 100, killedAt: 'S:store.db-wal:8' },
      { appends: 100, end: 'kill', commitDelayMs: 100 },
      { appends: 50, end: 'close', commitDelayMs: 100 },
    ],
  },
  {
    title: 'a file of the first version, which is brought up to date',
    base: storeOfVersion1,
    lives: [
      { appends: 30, end: 'kill' },
      { appends: 30, end: 'close' },
    ],
  },
  {
    title: 'a store whose disk is full, fails and is read-only by turns',
    lives: [{ appends: 0, end: 'kill', faults: true }],
    answers: [
      'answered capacity disk-full',
      'answered EIO disk-error',
      'answered EROFS disk-read-only',
      'noted capacity',
    ],
  },
  {
    title: 'a file that does not begin like a database',
    lives: [
      { appends: 50, end: 'close' },
      { appends: 50, end: 'kill', damage: 'header' },
      { appends: 50, end: 'close' },
    ],
  },
  {
    title: 'a file whose schema is spoilt, with a log beside it',
    lives: [
      { appends: 50, end: 'kill' },
      { appends: 50, end: 'close', damage: 'page' },
    ],
  },
  {
    title: 'a file that is found damaged on use',
    lives: [
      { appends: 50, end: 'close' },
      { appends: 50, end: 'close', damage: 'later' },
    ],
  },
];

for (const { title, base = () => NOTHING, lives, answers = [], checkpoints = 0 } of SCENES) {
  test(
    `${title}: every power cut leaves what was promised`,
    { skip, timeout: TIMEOUT_MS },
    async (context) => {
      const history = await recordHistory(base(), lives);
      const lines = history.events.flatMap((event) => (event.kind === 'mark' ? event.lines : []));
      assert.deepEqual(
        [...new Set(answers)].filter((answer) => !lines.includes(answer)),
        [],
      );
      assert.ok(checkpointsIn(history) >= checkpoints, 'the log was written back while in use');
      checkAll(context, history, STATES / SCENES.length);
    },
  );
}

/** Tries them all before it fails: what breaks together says more than what breaks first. */
function checkAll(context: TestContext, history: History, count: number): void {
  const start = performance.now();
  const broken: Error[] = [];
  let checked = 0;
  for (const state of crashStates(history, count, seeded(SEED))) {
    const failure = failureOf(state, broken.length < KEPT_MAX);
    if (failure !== undefined) broken.push(failure);
    checked += 1;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const what = `${checked} states of ${history.events.length} events`;
  context.diagnostic(`${what}, ${seconds} s, NORMD_SEED=${SEED}`);
  if (broken.length === 0) return;
  const reasons = broken.slice(0, KEPT_MAX).map(({ message }) => message);
  throw new Error(`${broken.length} of ${what} break the contract:\n${reasons.join('\n')}`);
}

/** A state that breaks the contract is kept in a folder, for `inspect` to be tried on again. */
function failureOf(state: CrashState, keep: boolean): Error | undefined {
  const folder = mkdtempSync(join(FAST_FOLDER, 'normd-state-'));
  try {
    write(new Map([...state.image].filter(([path]) => path !== RESERVE)), folder);
    inspect(join(folder, STATE), state.obligations);
    return undefined;
  } catch (error) {
    const { contents, names } = state.luck;
    const where = `event ${state.at}, contents ${contents}, names ${names}`;
    const why = error instanceof Error ? error.message : String(error);
    return new Error(`${where}${keep ? `, kept in ${kept(state)}` : ''}: ${why}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function kept({ image, obligations }: CrashState): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-broken-'));
  write(image, folder);
  writeFileSync(join(folder, 'facts'), obligations.lines().join('\n'));
  return folder;
}
