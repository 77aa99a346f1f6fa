import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import type { DueEntry } from '#store/store.ts';
import { HeadEnd, mended } from '../support/head-end.ts';
import { OwingStore } from '../support/owing-store.ts';
import { filled, salvaged } from '../support/salvaged.ts';
import { seeded } from '../support/seeded.ts';
import { folder } from '../support/store.ts';

const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);
/** Once they broke something: rows of another table read as entries, and one that was hidden. */
const KEPT_SEEDS = [3, 63365];
const FLIPS = Number(process.env['NORMD_FLIPS'] ?? 60);

/** Five entries of one stream, of which the third is changed behind the store's back. */
async function changed(
  context: TestContext,
  change: string,
): Promise<{ readonly world: OwingStore; readonly epoch: number }> {
  const world = new OwingStore({ directory: folder(context), runCountMax: 1 });
  await world.open();
  await world.appendAll('m', [0, 1, 2, 3, 4]);
  const { file, epoch } = world.store.opening;
  await world.close();
  const database = new Sqlite(file);
  database.pragma('foreign_keys = OFF');
  database.exec(`UPDATE entry SET ${change} WHERE sequence = 2`);
  database.close();
  await world.open();
  return { world, epoch };
}

const sequences = (due: readonly DueEntry[]): number[] => due.map(({ sequence }) => sequence);

test('an entry whose content has changed is named and kept apart, not sent', async (context) => {
  const { world } = await changed(context, "records = CAST(substr(records, 2) || x'07' AS BLOB)");
  const before = await world.standing('m');
  const due = await world.due();
  assert.deepEqual(sequences(due), [0, 1, 3, 4]);
  assert.deepEqual(
    world.named.map(({ first, last, reason }) => [first, last, reason]),
    [[2, 2, 'store-damaged']],
  );
  const head = new HeadEnd();
  await head.take(world, due);
  await head.manifest(world);
  const { faults, streams } = head.report();
  assert.deepEqual([faults, streams[0]?.verdict, streams[0]?.holes], [[], 'complete', []]);
  const after = await world.standing('m');
  assert.deepEqual([after.epoch, after.through], [before.epoch, 4], 'the epoch goes on');
  const { file, setAside } = world.store.opening;
  await world.close();
  assert.equal(setAside, undefined);
  const database = new Sqlite(file);
  const kept = database.prepare('SELECT stream, sequence, records FROM damaged').all();
  database.close();
  assert.equal(kept.length, 1, 'what was found there is not deleted');
});

for (const change of [
  'sequence = 12',
  'count = 3',
  'lane = lane + 4',
  'lane = lane + 1',
  'stream = 7',
  'taken_ms = taken_ms + 1',
  'readings = 9',
  'record_count = 9',
  'size = size - 1',
  'packing = 2',
  'checks = checks + 1',
]) {
  test(`an entry in which ${change} is not sent: its number is named`, async (context) => {
    const { world, epoch } = await changed(context, change);
    const head = new HeadEnd();
    await head.drain(world);
    assert.deepEqual(
      [...head.received.keys()],
      [0, 1, 3, 4].map((sequence) => `m ${epoch} ${sequence}`),
    );
    const { gaps, through } = await world.standing('m', epoch);
    assert.deepEqual(
      gaps.map(({ first, last, reason }) => [first, last, reason]),
      [[2, 2, 'store-damaged']],
    );
    assert.equal(through, 4);
    await mended(() => world.appendAll('m', [5]));
    await world.close();
  });
}

test('so many changed rows that the file is no good have it set aside', async (context) => {
  const world = new OwingStore({ directory: folder(context), runCountMax: 1 });
  await world.open();
  const numbers = Array.from({ length: 150 }, (_, number) => number);
  await world.appendAll('m', numbers);
  const { file, epoch } = world.store.opening;
  await world.close();
  new Sqlite(file)
    .exec("UPDATE entry SET records = CAST(x'00' || records AS BLOB) WHERE sequence < 140")
    .close();
  await world.open();
  const head = new HeadEnd();
  await head.drain(world);
  assert.equal(world.store.opening.setAside?.failure.code, 'store-damaged');
  assert.equal(head.received.size, 10);
  const { gaps } = await world.standing('m', epoch);
  assert.deepEqual(
    gaps.map(({ first, last }) => [first, last]),
    [[0, 139]],
  );
  await world.close();
});

/** Changes rows and leaves the index as it was. */
function withoutIndex(file: string, change: string): void {
  const before = new Sqlite(file).unsafeMode();
  before.pragma('writable_schema = ON');
  const [row] = before.prepare("SELECT * FROM sqlite_schema WHERE name = 'entry_by_lane'").all();
  before.exec("DELETE FROM sqlite_schema WHERE name = 'entry_by_lane'").close();
  const after = new Sqlite(file).unsafeMode();
  after.exec(change);
  after.pragma('writable_schema = ON');
  const insert = 'INSERT INTO sqlite_schema VALUES (@type, @name, @tbl_name, @rootpage, @sql)';
  after.prepare(insert).run(row);
  after.close();
}

test('an entry that its index has lost is found at a start after a death', async (context) => {
  const world = new OwingStore({ directory: folder(context), runCountMax: 1 });
  await world.open();
  await world.appendAll('m', [0, 1, 2, 3, 4]);
  const { file, epoch } = world.store.opening;
  await world.close();
  withoutIndex(file, 'UPDATE entry SET state = 1 WHERE sequence = 4');
  writeFileSync(`${file}-wal`, Buffer.alloc(32));
  await world.open();
  assert.equal(world.store.opening.setAside?.failure.code, 'store-damaged');
  const head = new HeadEnd();
  await head.drain(world);
  assert.equal(head.received.size, 5, 'what is not delivered is sent, whatever its row says');
  assert.equal((await world.standing('m', epoch)).through, 4);
  await world.close();
});

/** Pages of the outbox in the file. */
function pagesOf(bytes: Buffer): readonly number[] {
  const directory = mkdtempSync(join(tmpdir(), 'normd-pages-'));
  try {
    const file = join(directory, 'store.db');
    writeFileSync(file, bytes);
    const database = new Sqlite(file);
    const pages = database.prepare<[], number>("SELECT pageno FROM dbstat WHERE name = 'entry'");
    const numbers = pages.pluck().all();
    database.close();
    return numbers;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const PAGE_BYTES = 1024;

for (const seed of [SEED, ...KEPT_SEEDS]) {
  test(`whichever bit flips in the outbox, a loss is named, nothing else sent: seed ${seed}`, (t) =>
    flipped(t, seed));
}

async function flipped(context: TestContext, seed: number): Promise<void> {
  const store = await filled(context, true);
  const pages = pagesOf(store.files.get('store.db') ?? Buffer.alloc(0));
  const entropy = seeded(seed);
  let [asides, losses] = [0, 0];
  for (let flip = 0; flip < FLIPS; flip += 1) {
    const page = pages[Math.floor(entropy.fraction() * pages.length)] ?? 1;
    const bit = Math.floor(entropy.fraction() * PAGE_BYTES * 8);
    try {
      const { lost, unknown, setAside } = await salvaged(context, store, (files) => {
        const bytes = files.get('store.db') ?? Buffer.alloc(0);
        const at = (page - 1) * PAGE_BYTES + (bit >> 3);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      });
      assert.deepEqual(unknown, []);
      [asides, losses] = [asides + Number(setAside), losses + lost.length];
    } catch (error) {
      throw new Error(`bit ${bit} of page ${page}, NORMD_SEED=${seed}`, { cause: error });
    }
  }
  context.diagnostic(`${FLIPS} flips, ${asides} set aside, ${losses} lost`);
}
