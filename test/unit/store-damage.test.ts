import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { truncateSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { failureOf } from '#bytes/failure.ts';
import { diskFailure } from '#store/disk-failure.ts';
import { ENTRIES_PER_EPOCH } from '#store/schema.ts';
import type { SetAside, Store } from '#store/store.ts';
import { atSecond, codeOf, folder, observation, opened } from '../support/store.ts';

interface Fault {
  readonly title: string;
  readonly code: string;
  readonly damage: (file: string) => void;
}

const FAULTS: readonly Fault[] = [
  {
    title: 'holds noise',
    code: 'store-damaged',
    damage: (file) => writeFileSync(file, 'no database at all'.repeat(1000)),
  },
  {
    title: 'is cut short',
    code: 'store-damaged',
    damage: (file) => truncateSync(file, 50),
  },
  {
    title: 'lacks its pages',
    code: 'store-damaged',
    damage: (file) => truncateSync(file, 4096),
  },
  {
    title: 'has lost its database but kept its log',
    code: 'store-damaged',
    damage: (file) => {
      writeFileSync(`${file}-wal`, readFileSync(file));
      truncateSync(file, 0);
    },
  },
  {
    title: 'belongs to another program',
    code: 'store-foreign',
    damage: (file) => {
      rmSync(file);
      new Sqlite(file).exec('CREATE TABLE song (title)').close();
    },
  },
  {
    title: 'was written by a later normd',
    code: 'store-newer',
    damage: (file) => {
      const database = new Sqlite(file);
      database.pragma('user_version = 99');
      database.close();
    },
  },
];

for (const { title, code, damage } of FAULTS) {
  test(`a file that ${title} is set aside, and a new epoch begins`, async (context) => {
    const directory = folder(context);
    const before = await opened(context, { directory, ...atSecond(1_800_000_000) });
    await before.append(observation(0, 'meter', ['utility']));
    await before.close();
    damage(before.opening.file);
    const found = [before.opening.file, `${before.opening.file}-wal`]
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file));

    const after = await opened(context, { directory, ...atSecond(1_800_000_001) });
    const { setAside, epoch } = after.opening;
    assert.equal(setAside?.failure.code, code);
    assert.equal(epoch, 1_800_000_002, 'later than any that the other file can have begun');
    const kept = [setAside.file, `${setAside.file}-wal`].filter((file) => existsSync(file));
    if (code !== 'store-newer') {
      assert.deepEqual(
        kept.map((file) => readFileSync(file)),
        found,
        'not an octet changed',
      );
    }
    await after.append(observation(1, 'meter', ['utility']));
    const entry = (await after.due('utility', 'measurement', 0, 10)).at(-1);
    assert.deepEqual([entry?.sequence, entry?.epoch], [0, epoch]);
  });
}

test('what a later normd still owed is carried over by an older one', async (context) => {
  const directory = folder(context);
  const before = await opened(context, { directory });
  await before.append(observation(0, 'meter', ['utility']));
  const { file, epoch } = before.opening;
  await before.close();
  const database = new Sqlite(file);
  database.exec('ALTER TABLE entry ADD COLUMN later TEXT');
  database.pragma('user_version = 99');
  database.close();

  const after = await opened(context, { directory });
  assert.equal(after.opening.setAside?.salvagedEntries, 1);
  const [entry] = await after.due('utility', 'measurement', 0, 10);
  assert.deepEqual([entry?.sequence, entry?.epoch], [0, epoch]);
});

test('damage found on use is reported, and a new epoch takes what follows', async (context) => {
  const directory = folder(context);
  const before = await opened(context, { directory });
  await before.append(observation(0, 'meter', ['utility'], 1 << 16));
  await before.close();
  const store = await opened(context, { directory });
  const { file, epoch } = store.opening;
  const sound = readFileSync(file);
  writeFileSync(file, sound.fill(0xff, 1024));
  const { promise, resolve } = Promise.withResolvers<SetAside>();
  store.onSetAside(resolve);
  assert.equal(await codeOf(store.due('utility', 'measurement', 0, 10)), 'store-damaged');
  assert.equal((await promise).failure.code, 'store-damaged');
  assert.ok(store.opening.epoch > epoch);
  await store.append(observation(1, 'meter', ['utility']));
  const [entry] = await store.due('utility', 'measurement', 0, 10);
  assert.equal(entry?.epoch, store.opening.epoch);
});

/** A store whose database is noise although it is open and one observation is in it. */
async function damagedInUse(context: TestContext, directory: string): Promise<Store> {
  const before = await opened(context, { directory });
  await before.append(observation(0, 'meter', ['utility'], 1 << 16));
  await before.close();
  const store = await opened(context, { directory });
  const { file } = store.opening;
  writeFileSync(file, readFileSync(file).fill(0xff, 1024));
  return store;
}

test('a late acknowledgement deletes nothing of the file that came after', async (context) => {
  const store = await damagedInUse(context, folder(context));
  const { epoch } = store.opening;
  const late = store.opening.epoch * ENTRIES_PER_EPOCH; // the id of the first entry
  assert.equal(await codeOf(store.due('utility', 'measurement', 0, 10)), 'store-damaged');
  await store.append(observation(1, 'meter', ['utility']));
  await store.acknowledge('utility', [late]);
  const [entry] = await store.due('utility', 'measurement', late, 10);
  assert.ok(entry !== undefined && entry.epoch > epoch, 'ids have grown over the change');
});

test('where no new file can be begun the store says why, and tries again', async (context) => {
  const directory = folder(context);
  const store = await damagedInUse(context, directory);
  rmSync(directory, { recursive: true });
  assert.equal(await codeOf(store.due('utility', 'measurement', 0, 10)), 'store-damaged');
  assert.equal(await codeOf(store.counts()), 'disk-error');
  assert.equal(await codeOf(store.append(observation(1, 'meter', ['utility']))), 'disk-error');
  mkdirSync(directory);
  const { promise, resolve } = Promise.withResolvers<SetAside>();
  store.onSetAside(resolve);
  await store.append(observation(2, 'meter', ['utility']));
  assert.equal((await promise).failure.code, 'store-damaged');
  assert.equal((await store.due('utility', 'measurement', 0, 10)).length, 1);
});

const HUGE = '9223372036854775807';

for (const [change, aside] of [
  ['UPDATE meta SET next_entry = 1'],
  [`UPDATE meta SET next_entry = ${HUGE}`],
  ['UPDATE meta SET next_observation = 1'],
  [`UPDATE meta SET next_observation = ${HUGE}`],
  ['UPDATE stream SET next_sequence = 0'],
  [`UPDATE stream SET next_sequence = ${HUGE}`],
  [`UPDATE stream SET queued_entries = ${HUGE}, queued_readings = -1`],
  [`UPDATE source SET bytes = ${HUGE}`],
  [`DELETE FROM entry; UPDATE stream SET next_sequence = ${HUGE}`, [0]],
  [`UPDATE meta SET epoch = ${HUGE}`, [0, 1, 0]],
  [`UPDATE entry SET id = ${HUGE} WHERE sequence = 1`, [0, 0]],
] as const) {
  const outcome = aside === undefined ? 'continued after the greatest in use' : 'set aside';
  test(`running numbers damaged by ${change} are ${outcome}`, async (context) => {
    const directory = folder(context);
    const before = await opened(context, { directory, ...atSecond(1_800_000_000) });
    for (const number of [0, 1]) await before.append(observation(number, 'meter', ['utility']));
    await before.close();
    new Sqlite(before.opening.file).exec(change).close();

    const after = await opened(context, { directory, ...atSecond(1_800_000_001) });
    assert.equal(after.opening.setAside?.failure.code, aside && 'store-damaged');
    await after.append(observation(2, 'meter', ['utility']));
    const due = await after.due('utility', 'measurement', 0, 10);
    assert.deepEqual(
      due.map(({ sequence }) => sequence),
      aside ?? [0, 1, 2],
    );
    assert.equal((await after.counts()).backends['utility']?.queuedEntries, due.length);
  });
}

test('what SQLite says is about the file only where it is', () => {
  for (const [native, message, code] of [
    ['SQLITE_CONSTRAINT_PRIMARYKEY', 'UNIQUE constraint failed: entry.id', 'store-damaged'],
    ['SQLITE_MISMATCH', 'datatype mismatch', 'store-damaged'],
    ['SQLITE_TOOBIG', 'string or blob too big', 'store-damaged'],
    ['SQLITE_ERROR', 'no such table: entry', 'store-damaged'],
    ['SQLITE_ERROR', 'no such column: epoch', 'store-damaged'],
    ['SQLITE_ERROR', 'cannot start a transaction within a transaction', 'unexpected'],
  ] as const) {
    const error = Object.assign(new Error(message), { code: native });
    assert.equal(failureOf(diskFailure(error)).code, code, message);
  }
});
