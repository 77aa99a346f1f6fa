import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { StreamStanding } from '#store/store.ts';
import { HeadEnd, mended } from './head-end.ts';
import { BACKEND, OwingStore } from './owing-store.ts';
import { folder } from './store.ts';

const STREAMS = [
  ['m', 'measurement'],
  ['n', 'measurement'],
  ['p_alarm', 'alarm'],
  ['q_bulk', 'bulk'],
] as const;
const NUMBERS = 60;

export interface Filled {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly before: HeadEnd;
  readonly streams: readonly StreamStanding[];
  /** Keys that are owed still, as the head-end names them, with their records. */
  readonly owed: ReadonlyMap<string, Buffer>;
  readonly epoch: number;
}

/** A store in the midst of everything: delivered, awaiting, in quarantine, named, due. */
export async function filled(context: TestContext, clean: boolean): Promise<Filled> {
  const directory = folder(context);
  const world = new OwingStore({ directory, runCountMax: 1 });
  await world.open();
  const before = new HeadEnd();
  const owed = new Map<string, Buffer>();
  for (const [stream, of] of STREAMS) {
    const numbers = Array.from({ length: NUMBERS }, (_, index) => index);
    for (const number of numbers) await world.appendAll(stream, [number], of);
    const due = (await world.due(of)).filter((entry) => entry.stream === stream);
    await before.take(world, due.slice(0, 10), true);
    await before.take(world, due.slice(10, 20));
    const bad = due[30];
    assert.ok(bad);
    await world.store.quarantine(BACKEND, bad.id, { code: 'too-large', message: 'bad' });
    for (const entry of due.slice(20).filter((one) => one !== bad)) {
      owed.set(`${stream} ${entry.epoch} ${entry.sequence}`, Buffer.from(entry.records));
    }
  }
  const streams = await before.manifest(world);
  const { file, epoch } = world.store.opening;
  if (clean) await world.close();
  else world.store.abandon();
  const files = [file, `${file}-wal`].filter((one) => existsSync(one));
  return {
    files: new Map(files.map((one) => [basename(one), readFileSync(one)])),
    before,
    streams,
    owed,
    epoch,
  };
}

export interface Circumstances {
  readonly freeBytes?: number;
  /** Of gaps. */
  readonly reasons?: RegExp;
}

export interface Outcome {
  readonly lost: readonly string[];
  readonly unknown: readonly string[];
  readonly setAside: boolean;
}

/** Opens what is left after `damage`, delivers all, and holds the contract against it. */
export async function salvaged(
  context: TestContext,
  { files, before, owed, epoch, streams }: Filled,
  damage: (files: Map<string, Buffer>) => void,
  { freeBytes, reasons: allowed = /^(quarantined|store-damaged)$/ }: Circumstances = {},
): Promise<Outcome> {
  const directory = folder(context);
  mkdirSync(directory, { recursive: true });
  const spoilt = new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes)]));
  damage(spoilt);
  for (const [name, bytes] of spoilt) writeFileSync(join(directory, name), bytes);
  const full = freeBytes === undefined ? {} : { freeBytes: () => freeBytes };
  const world = new OwingStore({ directory, runCountMax: 1, ...full });
  await world.open();
  let aside = world.store.opening.setAside;
  world.store.onSetAside((setAside) => (aside = setAside));
  const after = new HeadEnd(before.messages);
  await after.drain(world);
  const lastly = await after.manifest(world);
  await mended(() => world.appendAll('m', [1000]));
  await after.drain(world);
  await after.manifest(world);
  assert.equal(aside?.salvageFailure, undefined);

  const lost = lostOf(owed, after.received, aside !== undefined);
  const unknown = streams.filter(({ stream }) => {
    return !lastly.some((one) => one.stream === stream && one.epoch === epoch);
  });
  for (const { stream, next } of streams) {
    const now = lastly.find((one) => one.stream === stream && one.epoch === epoch);
    if (now === undefined) continue;
    assert.equal(now.next, next, `the numbers of ${stream} end where they did`);
    assert.equal(now.through, next - 1, `${stream} waits for nothing`);
  }
  const { faults, streams: reports } = after.report();
  assert.deepEqual(faults, []);
  for (const report of reports) {
    assert.deepEqual(report.holes, [], `each hole of ${report.stream} is named`);
    assert.notEqual(report.verdict, 'altered', report.stream);
    assert.equal(report.outOfOrder, 0);
    const reasons = new Set(report.gaps.map(({ reason }) => reason));
    for (const reason of reasons) assert.match(reason, allowed);
    if (aside === undefined && report.stream !== 'm') assert.equal(report.verdict, 'complete');
  }
  await world.close();
  return { lost, unknown: unknown.map(({ stream }) => stream), setAside: aside !== undefined };
}

/** Keys that did not come; what came is what it was. */
function lostOf(
  owed: Filled['owed'],
  received: HeadEnd['received'],
  setAside: boolean,
): readonly string[] {
  for (const [key, records] of owed) {
    const came = received.get(key) ?? [];
    // A row that damage hides from its acknowledgement is found by salvage, and comes again.
    assert.ok(came.length <= 1 || setAside, `${key} came ${came.length} times`);
    for (const one of came) assert.deepEqual(one, records, `${key} is what it was`);
  }
  return [...owed.keys()].filter((key) => !received.has(key));
}
