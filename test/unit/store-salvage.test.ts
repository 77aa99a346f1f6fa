import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { StreamStanding } from '#store/store.ts';
import { HeadEnd, mended } from '../support/head-end.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { seeded } from '../support/seeded.ts';
import { folder } from '../support/store.ts';

const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);
const STATES = Number(process.env['NORMD_DAMAGES'] ?? 40);

const PAGE_BYTES = 1024;
/** Rows that a page can hold: the damage of one page may cost no more. */
const ROWS_A_PAGE = 16;
const STREAMS = [
  ['m', 'measurement'],
  ['n', 'measurement'],
  ['p_alarm', 'alarm'],
  ['q_bulk', 'bulk'],
] as const;
const NUMBERS = 60;

interface Filled {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly before: HeadEnd;
  readonly streams: readonly StreamStanding[];
  /** Keys that are owed still, as the head-end names them, with their records. */
  readonly owed: ReadonlyMap<string, Buffer>;
  readonly epoch: number;
}

/** A store in the midst of everything: delivered, awaiting, in quarantine, named, due. */
async function filled(context: TestContext, clean: boolean): Promise<Filled> {
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

interface Circumstances {
  readonly freeBytes?: number;
  /** Of gaps. */
  readonly reasons?: RegExp;
}

interface Outcome {
  readonly lost: readonly string[];
  readonly unknown: readonly string[];
  readonly setAside: boolean;
}

/** Opens what is left after `damage`, delivers all, and holds the contract against it. */
async function salvaged(
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

  const lost: string[] = [];
  for (const [key, records] of owed) {
    const came = after.received.get(key) ?? [];
    assert.ok(came.length <= 1, `${key} came ${came.length} times`);
    if (came[0] === undefined) lost.push(key);
    else assert.deepEqual(came[0], records, `${key} is what it was`);
  }
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

const KINDS = {
  zeros: (page: Buffer) => page.fill(0),
  noise: (page: Buffer, seed: number) => page.set(seeded(seed).bytes(page.length)),
  'a torn half': (page: Buffer) => page.fill(0xff, PAGE_BYTES / 2),
} as const;

for (const clean of [true, false]) {
  const what = clean ? 'a file' : 'a file with its log';
  const title = `a damaged page of ${what} costs only what was in it, and that is named`;
  test(title, async (context) => {
    const store = await filled(context, clean);
    const entropy = seeded(SEED);
    const pages = (store.files.get('store.db')?.length ?? 0) / PAGE_BYTES;
    let [asides, losses] = [0, 0];
    for (let state = 0; state < STATES; state += 1) {
      const page = Math.floor(entropy.fraction() * pages);
      const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];
      const kind = kinds[state % kinds.length] ?? 'zeros';
      const where = `${kind} in page ${page + 1} of ${pages}, NORMD_SEED=${SEED}`;
      try {
        const { lost, unknown, setAside } = await salvaged(context, store, (files) => {
          const at = page * PAGE_BYTES;
          const bytes = files.get('store.db')?.subarray(at, at + PAGE_BYTES);
          if (bytes !== undefined) KINDS[kind](bytes, page);
        });
        assert.deepEqual(unknown, []);
        assert.ok(lost.length <= ROWS_A_PAGE, `${lost.length} are lost`);
        [asides, losses] = [asides + Number(setAside), losses + lost.length];
      } catch (error) {
        throw new Error(where, { cause: error });
      }
    }
    context.diagnostic(`${STATES} damages, ${asides} set aside, ${losses} lost`);
  });
}

const LOG_HEAD_BYTES = 32;
const FRAME_BYTES = 24 + PAGE_BYTES;
const LAST_FRAMES = 24;

/** Those that were written since the log was begun anew: they have its salt. */
function framesIn(log: Buffer): number {
  const salt = log.subarray(16, 24);
  let count = 0;
  for (let at = LOG_HEAD_BYTES; at + FRAME_BYTES <= log.length; at += FRAME_BYTES, count += 1) {
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
  }
  return count;
}

test('a log that is damaged within is noticed, and costs no more than a page', async (context) => {
  const store = await filled(context, false);
  const log = store.files.get('store.db-wal');
  assert.ok(log);
  const entropy = seeded(SEED);
  // What ends with the last transactions could as well have been torn by the power cut.
  const frames = framesIn(log) - LAST_FRAMES;
  assert.ok(frames > 0);
  for (let state = 0; state < STATES; state += 1) {
    const frame = Math.floor(entropy.fraction() * frames);
    const octet = Math.floor(entropy.fraction() * FRAME_BYTES);
    try {
      const { lost, setAside } = await salvaged(context, store, (files) => {
        const at = LOG_HEAD_BYTES + frame * FRAME_BYTES + octet;
        const bytes = files.get('store.db-wal');
        if (bytes !== undefined) bytes[at] = ~(bytes[at] ?? 0);
      });
      assert.ok(setAside, 'it is noticed');
      assert.ok(lost.length <= ROWS_A_PAGE, `${lost.length} are lost`);
    } catch (error) {
      const where = `octet ${octet} of frame ${frame} of ${frames}, NORMD_SEED=${SEED}`;
      throw new Error(where, { cause: error });
    }
  }
});

test('of a file that was cut short what is left is delivered, the rest named', async (context) => {
  const store = await filled(context, true);
  const pages = (store.files.get('store.db')?.length ?? 0) / PAGE_BYTES;
  for (let left = 1; left < pages; left += Math.ceil(pages / 12)) {
    const { setAside } = await salvaged(context, store, (files) => {
      const whole = files.get('store.db') ?? Buffer.alloc(0);
      files.set('store.db', whole.subarray(0, left * PAGE_BYTES));
    });
    assert.ok(setAside, `${left} pages of ${pages}`);
  }
});

/** As a power cut leaves it: moved, noted, and the successor half written. */
function cutShort(files: Map<string, Buffer>): void {
  for (const [name, bytes] of [...files]) {
    files.delete(name);
    files.set(name.replace('store.db', 'store.db.aside-1'), bytes);
  }
  const failure = { code: 'store-damaged', message: 'noticed before' };
  files.set('store.db.salvage', Buffer.from(JSON.stringify({ file: 'store.db.aside-1', failure })));
  files.set('store.db.new', Buffer.alloc(5 * PAGE_BYTES));
}

test('a salvage that a power cut has ended begins again, and carries all over', async (context) => {
  for (const clean of [true, false]) {
    const store = await filled(context, clean);
    const { lost, setAside } = await salvaged(context, store, cutShort);
    assert.ok(setAside);
    assert.deepEqual(lost, []);
    const moving = await salvaged(context, store, (files) => {
      cutShort(files);
      const moved = files.get('store.db.aside-1') ?? Buffer.alloc(0);
      files.delete('store.db.aside-1');
      files.set('store.db', moved); // of the names that of the log alone reached the disk
    });
    assert.deepEqual(moving.lost, []);
  }
});

test('without the room for all the most urgent is salvaged, the rest named', async (context) => {
  const store = await filled(context, true);
  const { lost, setAside } = await salvaged(context, store, cutShort, {
    freeBytes: (12 << 20) + (103 << 10),
    reasons: /^(quarantined|disk-full)$/,
  });
  assert.ok(setAside);
  const kept = [...store.owed.keys()].filter((key) => !lost.includes(key));
  assert.ok(lost.length > 0 && kept.length > 0, `${lost.length} lost, ${kept.length} kept`);
  const lostAlarms = lost.filter((key) => key.startsWith('p_alarm'));
  assert.deepEqual(lostAlarms, [], 'no alarm gives way to what is less urgent');
});
