import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openStore } from '#store/open.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { seeded } from '../support/seeded.ts';
import { folder } from '../support/store.ts';
import { BACKEND, SOURCES, contentOf, sourceOf } from '../support/store-content.ts';

const KILLS = Number(process.env['NORMD_KILLS'] ?? 20);
const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);

const APPENDER = join(import.meta.dirname, '../support/store-appender.ts');

/** A life long enough for a checkpoint of the log now and then. */
const LINES_MAX = 3_000;

/** What must be true, from the lines that the killed processes got out. */
interface Oracle {
  /** Numbers whose storage was confirmed. */
  readonly kept: Set<number>;
  /** Those whose acknowledgement was asked for, and those whose was confirmed. */
  readonly going: Set<number>;
  readonly gone: Set<number>;
  /** The sequence each number was seen under; it may never change. */
  readonly sequences: Map<number, number>;
}

/** Runs the appender, and kills it after some lines: 0 kills it while it opens. */
async function live(
  directory: string,
  first: number,
  lines: number,
  oracle: Oracle,
): Promise<void> {
  const child = spawn(process.execPath, [APPENDER, directory, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  if (lines === 0) child.kill('SIGKILL');
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(' ');
    const set = word === 'kept' ? oracle.kept : word === 'gone' ? oracle.gone : oracle.going;
    set.add(Number(number));
    count += 1;
    if (count === lines) child.kill('SIGKILL');
  }
  const [, signal] = (await exit) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', 'the process lives until it is killed');
}

async function all<Row extends { readonly id: number }>(
  page: (afterId: number) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const next = await page(rows.at(-1)?.id ?? 0);
    if (next.length === 0) return rows;
    rows.push(...next);
  }
}

/** Every confirmed observation is in the raw store, each once and in order. Answers the newest. */
async function checkKept(store: Store, oracle: Oracle): Promise<number> {
  let newest = -1;
  for (const source of SOURCES) {
    const rows = await all((afterId) => store.observations(source, afterId, 1000));
    const numbers = rows.map(({ observation }) => contentOf(observation));
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
    const present = new Set(numbers);
    const lost = [...oracle.kept].filter((n) => sourceOf(n) === source && !present.has(n));
    assert.deepEqual(lost, [], `confirmed, but not there, of ${source}`);
    newest = Math.max(newest, numbers.at(-1) ?? -1);
  }
  return newest;
}

/** What was confirmed and not acknowledged is owed, in order and without a gap in its numbers. */
async function checkOwed(store: Store, oracle: Oracle): Promise<void> {
  const due = await all((afterId) => store.due(BACKEND, 'measurement', afterId, 1000));
  const owed = new Set(due.map(({ records }) => contentOf(records)));
  const lost = [...oracle.kept].filter((number) => !owed.has(number) && !oracle.going.has(number));
  assert.deepEqual(lost, [], 'confirmed, but not owed');
  assert.deepEqual(
    [...oracle.gone].filter((number) => owed.has(number)),
    [],
    'owed for ever',
  );
  for (const source of SOURCES) {
    checkNumbers(
      due.filter(({ stream }) => stream === source),
      oracle,
    );
  }
}

function checkNumbers(due: readonly DueEntry[], oracle: Oracle): void {
  for (const [index, { sequence, records }] of due.entries()) {
    const number = contentOf(records);
    const before = due[index - 1];
    if (before !== undefined) {
      assert.equal(sequence, before.sequence + 1);
      assert.ok(number > contentOf(before.records));
    }
    assert.equal(oracle.sequences.get(number) ?? sequence, sequence, 'numbered anew');
    oracle.sequences.set(number, sequence);
  }
}

test(`after each of ${KILLS} kills all confirmed is there (seed ${SEED})`, async (context) => {
  context.diagnostic(`NORMD_SEED=${SEED} NORMD_KILLS=${KILLS}`);
  const directory = folder(context);
  const entropy = seeded(SEED);
  const oracle: Oracle = {
    kept: new Set(),
    going: new Set(),
    gone: new Set(),
    sequences: new Map(),
  };
  let first = 0;
  let epoch: number | undefined;
  for (let kill = 0; kill < KILLS; kill += 1) {
    await live(directory, first, Math.floor(entropy.fraction() ** 2 * LINES_MAX), oracle);
    const store = await openStore({ directory });
    try {
      assert.equal(store.opening.setAside, undefined, 'a kill damages nothing');
      assert.equal(store.opening.epoch, epoch ?? store.opening.epoch);
      ({ epoch } = store.opening);
      first = (await checkKept(store, oracle)) + 1;
      await checkOwed(store, oracle);
    } finally {
      await store.close();
    }
  }
  assert.ok(oracle.kept.size > 0 && oracle.gone.size > 0, 'the lives were long enough');
});
