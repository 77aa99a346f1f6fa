import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { backTo } from '../support/older-store.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';
import { filled, salvaged } from '../support/salvaged.ts';
import { seeded } from '../support/seeded.ts';
import { folder, numberOf, observation } from '../support/store.ts';

const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);
const STATES = Number(process.env['NORMD_DAMAGES'] ?? 40);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const PAGE_BYTES = 1024;
/** Rows that a page can hold: the damage of one page may cost no more. */
const ROWS_A_PAGE = 16;
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

const NOTE = JSON.stringify({
  file: 'store.db.aside-1',
  failure: { code: 'store-damaged', message: 'noticed before' },
});

/** As a power cut leaves it: moved, noted, and the successor half written. */
function cutShort(files: Map<string, Buffer>): void {
  for (const [name, bytes] of [...files]) {
    files.delete(name);
    files.set(name.replace('store.db', 'store.db.aside-1'), bytes);
  }
  files.set('store.db.salvage', Buffer.from(NOTE));
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

/** Of numbers 0 to 5 the first four are delivered, but number 2 was named and thrown away. */
async function passed(directory: string, toldThere: boolean): Promise<string> {
  const world = new OwingStore({ directory, runCountMax: 1 });
  await world.open();
  const { file, epoch } = world.store.opening;
  await world.appendAll('m', [0, 1, 2, 3, 4, 5]);
  const due = await world.due();
  const bad = due[2];
  assert.ok(bad);
  await world.store.quarantine(BACKEND, bad.id, { code: 'too-large', message: 'bad' });
  await world.store.discard(BACKEND, bad.id);
  await world.acknowledge(due.slice(0, 4).filter((entry) => entry !== bad));
  const gap = { stream: 'm', epoch, first: 2, last: 2 };
  if (toldThere) await world.settled(world.store.told(BACKEND, [gap]));
  await world.close();
  return file;
}

for (const { title, alter, toldThere, spans, proven } of [
  {
    title: 'a gap that was not told is named as it was where its page is lost, and no other number',
    alter: 'DELETE FROM gap',
    toldThere: false,
    spans: [[2, 2, 'quarantined']],
    proven: true,
  },
  {
    title: 'numbers after the last gap that was told are named anew where nothing repeats the gap',
    alter: 'DELETE FROM gap; UPDATE stream SET untold = NULL',
    toldThere: false,
    spans: [[2, 3, 'store-damaged']],
    proven: false,
  },
  {
    title: 'what is delivered is not named where every gap was told',
    alter: 'DELETE FROM gap',
    toldThere: true,
    spans: [],
    proven: true,
  },
  {
    title: 'of a file of version 5 a gap that is found is named as it was, and no other number',
    alter: backTo(5),
    toldThere: false,
    spans: [[2, 2, 'quarantined']],
    proven: true,
  },
] as const) {
  test(title, async (context) => {
    const directory = folder(context);
    const file = await passed(directory, toldThere);
    new Sqlite(file).exec(alter).close();
    renameSync(file, `${file}.aside-1`);
    writeFileSync(join(directory, 'store.db.salvage'), NOTE);
    const world = new OwingStore({ directory, runCountMax: 1 });
    await world.open();
    assert.ok(world.store.opening.setAside);
    const [stream] = (await world.settled(world.store.standing(BACKEND))).streams;
    assert.equal(stream?.through, 3);
    const named = stream.gaps.map((gap) => [gap.first, gap.last, gap.reason]);
    assert.deepEqual(named, spans);
    assert.equal(stream.chain !== undefined, proven);
    await world.close();
  });
}

test('of many gaps that were not told those that a row repeats stay exact', async (context) => {
  const directory = folder(context);
  const world = new OwingStore({ directory, runCountMax: 1 });
  await world.open();
  const { file } = world.store.opening;
  await world.appendAll('m', upTo(40));
  const due = await world.due();
  const bad = due.filter(({ sequence }) => sequence % 3 === 1).slice(0, 10);
  for (const { id } of bad) {
    await world.settled(world.store.quarantine(BACKEND, id, { code: 'bad', message: '' }));
    await world.settled(world.store.discard(BACKEND, id));
  }
  await world.acknowledge(due.slice(0, 35).filter((entry) => !bad.includes(entry)));
  await world.close();
  new Sqlite(file).exec('DELETE FROM gap').close();
  renameSync(file, `${file}.aside-1`);
  writeFileSync(join(directory, 'store.db.salvage'), NOTE);
  await world.open();
  const [stream] = (await world.settled(world.store.standing(BACKEND))).streams;
  const exact = [1, 4, 7, 10, 13, 16, 19, 22].map((number) => [number, number, 'quarantined']);
  assert.deepEqual(
    stream?.gaps.map(({ first, last, reason }) => [first, last, reason]),
    [...exact, [23, 34, 'store-damaged']],
  );
  assert.equal(stream.chain, undefined, 'what was delivered is among the last');
  await world.close();
});

test('a file of version 5 learns up to where every gap was told', async (context) => {
  const directory = folder(context);
  const file = await passed(directory, false);
  new Sqlite(file).exec(backTo(5)).close();
  const world = new OwingStore({ directory, runCountMax: 1 });
  await world.open();
  assert.equal(world.store.opening.setAside, undefined);
  await world.close();
  const after = new Sqlite(file).prepare('SELECT through, told_through FROM stream');
  assert.deepEqual(after.get(), { through: 3, told_through: 1 });
});

test('what is kept at home comes along under its ids, sorted or not', async (context) => {
  const directory = folder(context);
  const sources = ['x', 'y', 'z'];
  const before = new OwingStore({ directory });
  await before.open();
  for (let number = 0; number < 100; number += 1) {
    const work = sources.map((source) =>
      before.store.append(observation(number, source, [], number === 50 ? 10_000 : 900)),
    );
    await before.settled(Promise.all(work));
  }
  const keptOf = async ({ store }: OwingStore, source: string) =>
    (await store.observations(source, 0, 1000)).map(({ id, observation: bytes }) => {
      return { id, number: numberOf(bytes), length: bytes.length };
    });
  const kept = await Promise.all(sources.map((source) => keptOf(before, source)));
  const { file } = before.store.opening;
  await before.close();
  const rows = new Sqlite(file);
  const count = (table: string) => rows.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  assert.ok(Number(count('kept')) > 3 && Number(count('unsorted')) > 3, 'some is sorted');
  rows.close();
  renameSync(file, `${file}.aside-1`);
  writeFileSync(join(directory, 'store.db.salvage'), NOTE);
  const after = new OwingStore({ directory });
  await after.open();
  assert.ok(after.store.opening.setAside);
  for (const [index, source] of sources.entries()) {
    assert.equal(kept[index]?.length, 100);
    assert.deepEqual(await keptOf(after, source), kept[index]);
  }
  await after.close();
});
