import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import type { SetAside } from '#store/store.ts';
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
    assert.equal(epoch, 1_800_000_001);
    const kept = [setAside.file, `${setAside.file}-wal`].filter((file) => existsSync(file));
    if (code !== 'store-newer') {
      assert.deepEqual(
        kept.map((file) => readFileSync(file)),
        found,
        'not an octet changed',
      );
    }
    await after.append(observation(1, 'meter', ['utility']));
    const [entry] = await after.due('utility', 0, 10);
    assert.deepEqual([entry?.sequence, entry?.epoch], [0, epoch]);
  });
}

test('damage found on use is reported, and a new epoch takes what follows', async (context) => {
  const directory = folder(context);
  const before = await opened(context, { directory });
  await before.append(observation(0, 'meter', ['utility'], 1 << 16));
  await before.close();
  const store = await opened(context, { directory });
  const { file, epoch } = store.opening;
  const sound = readFileSync(file);
  writeFileSync(file, sound.fill(0xff, 4096));
  const { promise, resolve } = Promise.withResolvers<SetAside>();
  store.onSetAside(resolve);
  assert.equal(await codeOf(store.due('utility', 0, 10)), 'store-damaged');
  assert.equal((await promise).failure.code, 'store-damaged');
  assert.ok(store.opening.epoch > epoch);
  await store.append(observation(1, 'meter', ['utility']));
  const [entry] = await store.due('utility', 0, 10);
  assert.equal(entry?.epoch, store.opening.epoch);
});
