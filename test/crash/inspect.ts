import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Group } from '#store/group.ts';
import { openLedger } from '#store/database.ts';
import { diskFailure, isUnusableFile } from '#store/disk-failure.ts';
import { setAside } from '#store/set-aside.ts';
import { OUTBOX_RETENTION, RETENTION } from '#store/store.ts';
import type { Append, DueEntry, Opening, Kept, Quarantined } from '#store/store.ts';
import type { StoreCounts, StreamStanding } from '#store/store.ts';
import { BACKENDS, SOURCES, numbered, numbersIn, owedTo, sourceOf } from './content.ts';
import type { Obligations } from './obligations.ts';
import { checkStandings } from './standings.ts';

const PAGE = 1_000;

/** The store without its thread, whose start costs a hundred times what opening does. */
export interface OpenStore {
  readonly opening: Opening;
  due(backend: string, afterId: number): readonly DueEntry[];
  quarantined(backend: string): readonly Quarantined[];
  observations(source: string, afterId: number): readonly Kept[];
  counts(): StoreCounts;
  /** What a manifest would tell. */
  streams(backend: string): readonly StreamStanding[];
  /** Numbers that will never come, as `stream epoch sequence`. */
  named(backend: string): ReadonlySet<string>;
  append(appends: readonly Append[]): void;
  close(): void;
}

export function openHere(directory: string): OpenStore {
  const now = { openMs: 0 };
  const { ledger, opening } = openLedger({
    directory,
    retention: RETENTION,
    outboxes: {},
    outboxRetention: OUTBOX_RETENTION,
    now,
    newEpoch: Math.floor(Date.now() / 1000),
    outlives: 'power-cut',
  });
  return {
    opening,
    due: (name, afterId) =>
      ledger.due({ name, afterId, limit: PAGE, class: 'measurement', now: { openMs: 0 } }),
    quarantined: (backend) => ledger.quarantined({ backend, id: undefined }),
    observations: (name, afterId) => ledger.observations({ name, afterId, limit: PAGE }),
    counts: () => ledger.counts(),
    streams: (backend) => ledger.streams(backend),
    named: (backend) => new Set(ledger.standing({ backend, now }).streams.flatMap(numbersOfGaps)),
    append(appends) {
      const group = new Group();
      for (const append of appends) void group.append(append);
      ledger.commit(group.seal(now, []));
    },
    close: () => ledger.close(),
  };
}

function numbersOfGaps({ stream, epoch, gaps }: StreamStanding): readonly string[] {
  return gaps.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, k) => `${stream} ${epoch} ${first + k}`),
  );
}

/**
 * Opens what a crash has left, and holds the contract against it; throws where it is broken. A file
 * that was damaged may show it only on use: then it is set aside, as a running store does.
 */
export function inspect(directory: string, obligations: Obligations): void {
  try {
    look(directory, obligations);
  } catch (error) {
    const failure = diskFailure(error);
    if (!obligations.damaged || !isUnusableFile(failure)) throw error;
    setAside(join(directory, 'store.db'), failure);
    look(directory, obligations);
  }
}

function look(directory: string, obligations: Obligations): void {
  const store = openHere(directory);
  try {
    const { setAside } = store.opening;
    for (const file of obligations.asides) {
      assert.ok(existsSync(join(directory, file)), `${file} was set aside, and is lost`);
    }
    if (!obligations.damaged) assert.equal(setAside, undefined, 'a power cut is no damage');
    if (setAside === undefined || obligations.confirmed.size > 0) checkKept(store, obligations);
    for (const backend of BACKENDS) {
      checkOwed(store, backend, obligations);
      checkStandings(backend, store.streams(backend), obligations);
    }
    checkNext(store, obligations);
  } finally {
    store.close();
  }
}

/** The raw store holds all that was confirmed, each once, in order, and nothing else. */
function checkKept(store: OpenStore, { confirmed, begun }: Obligations): void {
  const present = new Set<number>();
  for (const source of SOURCES) {
    const kept = all((afterId) => store.observations(source, afterId));
    const numbers = kept.flatMap(({ observation }) => numbersIn(observation));
    assertGrowing(numbers, `raw store of ${source}`);
    for (const number of numbers) {
      assert.ok(begun.has(number) && sourceOf(number) === source, `${number} was never appended`);
      present.add(number);
    }
  }
  const lost = [...confirmed].filter((number) => !present.has(number));
  assert.deepEqual(lost, [], 'confirmed, but not kept at home');
}

/** All that is confirmed is owed until its acknowledgement was asked for, and not after that. */
function checkOwed(store: OpenStore, backend: string, obligations: Obligations): void {
  const due = all((afterId) => store.due(backend, afterId));
  const owed = new Set(due.flatMap(({ records }) => numbersIn(records)));
  for (const number of owed) {
    assert.ok(obligations.begun.has(number), `${number} was never appended`);
    assert.ok(owedTo(number).includes(backend), `${number} is not for ${backend}`);
    assert.ok(!obligations.gone.has(`${backend} ${number}`), `${number} has come back`);
  }
  const lost = [...obligations.confirmed].filter(
    (number) =>
      owedTo(number).includes(backend) &&
      !owed.has(number) &&
      !obligations.mayBeGone.has(`${backend} ${number}`),
  );
  assert.deepEqual(lost, [], `confirmed, but not owed to ${backend}`);
  const counted = store.counts().backends[backend];
  const refused = store.quarantined(backend);
  const queued = [...due, ...refused];
  assert.equal(counted?.queuedEntries ?? 0, queued.length, 'entries are miscounted');
  assert.equal(counted?.quarantinedEntries ?? 0, refused.length, 'quarantine is miscounted');
  const readings = queued.reduce((sum, entry) => sum + entry.readings, 0);
  assert.equal(counted?.queuedReadings ?? 0, readings, 'readings are miscounted');
  for (const source of SOURCES) {
    checkSequences(
      due.filter(({ stream }) => stream === source),
      backend,
      obligations,
    );
  }
}

/** Numbers grow with order, and none names something else than what was sent under it. */
function checkSequences(due: readonly DueEntry[], backend: string, { seen }: Obligations): void {
  const numbers = due.flatMap(({ records }) => numbersIn(records));
  assertGrowing(numbers, 'order of a stream');
  const keys = due.flatMap(({ stream, epoch, sequence, records }) =>
    numbersIn(records).map((number, k) => ({ stream, epoch, sequence: sequence + k, number })),
  );
  for (const [index, { stream, epoch, sequence, number }] of keys.entries()) {
    const before = keys[index - 1];
    if (before?.epoch === epoch) assert.ok(sequence > before.sequence, 'sequences grow');
    const known = seen.get(`${backend} ${stream} ${epoch} ${sequence}`);
    assert.equal(known ?? number, number, 'a sequence names something else than before');
  }
}

/**
 * What comes next gets a sequence that nobody has seen; and below it none is missing, but those
 * that were seen and whose acknowledgement was asked for, or that are named as a gap.
 */
function checkNext(store: OpenStore, { seen, mayBeGone, newest }: Obligations): void {
  const first = newest + 1;
  store.append(Array.from({ length: 10 }, (_, k) => numbered(first + k)));
  for (const backend of BACKENDS) {
    const next = new Map<string, number>();
    const named = store.named(backend);
    for (const { stream, epoch, sequence, records } of all((id) => store.due(backend, id))) {
      const key = `${backend} ${stream} ${epoch}`;
      for (let missing = next.get(key) ?? 0; missing < sequence; missing += 1) {
        const number = seen.get(`${key} ${missing}`);
        const gone = number !== undefined && mayBeGone.has(`${backend} ${number}`);
        assert.ok(
          gone || named.has(`${stream} ${epoch} ${missing}`),
          `${key} ${missing} is missing before ${sequence}`,
        );
      }
      const numbers = numbersIn(records);
      next.set(key, sequence + numbers.length);
      for (const [k, number] of numbers.entries()) {
        const given = number >= first && seen.has(`${key} ${sequence + k}`);
        assert.ok(!given, `${key} ${sequence + k} is given twice`);
      }
    }
  }
}

function assertGrowing(numbers: readonly number[], what: string): void {
  const wrong = numbers.findIndex((number, index) => number <= (numbers[index - 1] ?? -1));
  assert.equal(wrong, -1, `${what}: ${String(numbers[wrong])} comes too late`);
}

function all<Row extends { readonly id: number }>(
  page: (afterId: number) => readonly Row[],
): readonly Row[] {
  const rows: Row[] = [];
  for (;;) {
    const next = page(rows.at(-1)?.id ?? 0);
    if (next.length === 0) return rows;
    rows.push(...next);
  }
}
