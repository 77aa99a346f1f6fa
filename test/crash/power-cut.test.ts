import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { seeded } from '../support/seeded.ts';
import { type Base, type History, type Life, NOTHING, recordHistory } from './history.ts';
import { withoutCompiler as skip } from './recorder.ts';
import { storeOfVersion1 } from './version-1.ts';
import { type CrashState, checkpointsIn, crashStates } from './states.ts';
import { KEPT_STATE, faultOf, keep, kept } from './trial.ts';
import { copyOf } from './volume.ts';

const STATES = Number(process.env['NORMD_CRASH_STATES'] ?? 2_400);
/** A state takes 10 ms, and ten times that where others use the machine. */
const TIMEOUT_MS = 120_000 + STATES * 100;
/** Broken states that are kept and named. */
const KEPT_MAX = 10;
const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);

/** Of each scene so many states, by the seed, are recovered from under another power cut. */
const CUT_AGAIN = Math.max(1, Math.round(STATES / 1_200));
/** A recovery takes some 300 events, at each of which there are several states: of these a part. */
const STATES_OF_A_RECOVERY = 60;

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

if (KEPT_STATE === undefined) for (const scene of SCENES) testScene(scene);
else testKept(KEPT_STATE);

function testScene({ title, base = () => NOTHING, lives, answers, checkpoints }: Scene): void {
  const settings = { skip, timeout: TIMEOUT_MS };
  test(`${title}: every power cut leaves what was promised`, settings, async (context) => {
    const history = await recordHistory(base(), lives);
    const lines = history.events.flatMap((event) => (event.kind === 'mark' ? event.lines : []));
    const missing = [...new Set(answers)].filter((answer) => !lines.includes(answer));
    assert.deepEqual(missing, []);
    assert.ok(checkpointsIn(history) >= (checkpoints ?? 0), 'the log was written back in use');
    await checkAll(context, history);
  });
}

/** Alone: what a failure's message says is run to see it again. */
function testKept(folder: string): void {
  test('a state that was kept holds the contract', () => {
    const { image, obligations } = kept(folder);
    assert.equal(faultOf(image, obligations), undefined);
  });
}

/** Tries them all before it fails: what breaks together says more than what breaks first. */
async function checkAll(context: TestContext, history: History): Promise<void> {
  const start = performance.now();
  const trials = new Trials();
  const entropy = seeded(SEED);
  const count = STATES / SCENES.length;
  const cutAgain: Base[] = [];
  for (const state of crashStates(history, count, entropy)) {
    trials.take(state, '');
    if (cutAgain.length >= CUT_AGAIN || entropy.fraction() > CUT_AGAIN / count) continue;
    const { obligations } = state;
    const image = copyOf(state.image);
    cutAgain.push({ image, facts: obligations.lines(), next: obligations.newest + 1 });
  }
  const first = trials.count;
  for (const base of cutAgain) await checkRecovery(base, trials);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const again = `${trials.count - first} of ${cutAgain.length} recoveries from one`;
  const what = `${first} states of ${history.events.length} events, ${again}`;
  context.diagnostic(`${what}, ${seconds} s, NORMD_SEED=${SEED}`);
  trials.assertSound(what);
}

/** The power goes again, at any moment of the start after a power cut, and soon after that. */
async function checkRecovery(base: Base, trials: Trials): Promise<void> {
  const recovery = await recordHistory(base, [{ appends: 5, end: 'kill' }]);
  const entropy = seeded(SEED);
  const share = Math.min(1, STATES_OF_A_RECOVERY / recovery.events.length);
  for (const state of crashStates(recovery, STATES_OF_A_RECOVERY, seeded(SEED))) {
    if (entropy.fraction() < share) trials.take(state, 'during the recovery of a state, ');
  }
}

class Trials {
  count = 0;
  readonly #broken: string[] = [];

  take(state: CrashState, when: string): void {
    this.count += 1;
    const fault = faultOf(state.image, state.obligations);
    if (fault === undefined) return;
    const { contents, names } = state.luck;
    const replay = this.#broken.length < KEPT_MAX ? `; to replay it: ${keep(state)}` : '';
    const where = `${when}event ${state.at}, contents ${contents}, names ${names}`;
    this.#broken.push(`${where}: ${fault}${replay}`);
  }

  assertSound(what: string): void {
    if (this.#broken.length === 0) return;
    const reasons = this.#broken.slice(0, KEPT_MAX).join('\n');
    throw new Error(`${this.#broken.length} of ${what} break the contract:\n${reasons}`);
  }
}
