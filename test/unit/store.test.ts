import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { byClass } from '#policy/delivery-class.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { Committer, WAITING_BYTES_MAX } from '#store/committer.ts';
import { type StoreOptions, openStore } from '#store/open.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { machineClock } from '#system/clock.ts';
import { atSecond, codeOf, folder, numberOf, observation, opened } from '../support/store.ts';

test('order and numbers survive a restart and the acknowledgement of all', async (context) => {
  const options: StoreOptions = { directory: folder(context) };
  const first = await opened(context, options);
  for (let number = 0; number < 10; number += 1) {
    await first.append(observation(number, number % 2 === 0 ? 'even' : 'odd', ['utility']));
  }
  const due = await first.due('utility', 'measurement', 0, 100);
  assert.deepEqual(
    due.map(({ stream, sequence, records }) => [stream, sequence, numberOf(records)]),
    Array.from({ length: 10 }, (_, number) => [
      number % 2 === 0 ? 'even' : 'odd',
      number >> 1,
      number,
    ]),
  );
  const ids = due.map(({ id }) => id);
  await first.acknowledge('utility', ids);
  await first.close();

  const second = await opened(context, { ...options, ...atSecond(2_000_000_000) });
  assert.equal(second.opening.epoch, first.opening.epoch);
  assert.deepEqual(await second.due('utility', 'measurement', 0, 100), []);
  await second.append(observation(10, 'even', ['utility']));
  const [next] = await second.due('utility', 'measurement', ids.at(-1) ?? 0, 100);
  assert.equal(next?.sequence, 5);
});

test('each back-end has its own numbers and its own acknowledgements', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  await store.append(observation(0, 'meter', ['utility']));
  await store.append(observation(1, 'meter', ['utility', 'grid']));
  const [forGrid] = await store.due('grid', 'measurement', 0, 10);
  assert.equal(forGrid?.sequence, 0);
  await store.acknowledge('utility', [forGrid.id]);
  assert.equal((await store.due('grid', 'measurement', 0, 10)).length, 1);
  await store.acknowledge('grid', [forGrid.id]);
  const { sources, backends } = await store.counts();
  const none = byClass(() => ({ entries: 0 }));
  const waiting = { queuedEntries: 2, queuedReadings: 2, queuedBytes: 4, quarantinedEntries: 0 };
  const { lanes, ...utility } = backends['utility'] ?? {};
  assert.deepEqual(sources, { meter: { stored: 4 } });
  assert.deepEqual(utility, { ...waiting, oldestMs: 1_800_000_000_000 });
  const { entries, committedMs = Infinity } = lanes?.measurement ?? {};
  assert.ok(entries === 2 && committedMs <= machineClock.monotonic() + 1);
  assert.deepEqual({ ...lanes, measurement: none.measurement }, none);
  const nothing = { ...waiting, queuedEntries: 0, queuedReadings: 0, queuedBytes: 0, lanes: none };
  assert.deepEqual(backends['grid'], nothing);
});

test('a back-end is woken when something is owed to it, another one is not', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const woken: string[] = [];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  store.onDue('grid', () => woken.push('grid'));
  const forget = store.onDue('utility', () => woken.push('forgotten'));
  store.onDue('utility', () => resolve(undefined));
  forget();
  await store.append(observation(0, 'meter', ['utility']));
  await promise;
  assert.deepEqual(woken, []);
});

test('closing commits what was appended, and then refuses', async (context) => {
  const options = { directory: folder(context) };
  const first = await opened(context, options);
  const appended = [0, 1, 2].map((number) => first.append(observation(number, 'meter', [])));
  await first.close();
  await Promise.all(appended);
  assert.equal(await codeOf(first.append(observation(3, 'meter', []))), 'store-closed');
  const second = await opened(context, options);
  const kept = await second.observations('meter', 0, 10);
  assert.deepEqual(
    kept.map(({ observation: bytes }) => numberOf(bytes)),
    [0, 1, 2],
  );
});

test('the caller may reuse its bytes as soon as append has returned', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const append = observation(7, 'meter', ['utility']);
  const durable = store.append(append);
  append.observation.fill(0xff);
  await durable;
  const [kept] = await store.observations('meter', 0, 1);
  const [owed] = await store.due('utility', 'measurement', 0, 1);
  assert.deepEqual([kept?.observation[1], owed?.records[1]], [7, 7]);
});

test('state is for its owner alone, and for one normd at a time', async (context) => {
  const directory = folder(context);
  const store = await opened(context, { directory });
  await store.append(observation(0, 'meter', []));
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  for (const file of readdirSync(directory)) {
    assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file);
  }
  assert.equal(await codeOf(openStore({ directory })), 'store-locked');
});

test('what may not be stored is refused with the field, the rest is kept', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const good = observation(0, 'meter', ['utility']);
  const [output] = good.outputs;
  assert.ok(output);
  const results = await Promise.all(
    [
      good,
      { ...good, source: 'a\0b' },
      { ...good, source: 'a\ud800' },
      { ...good, takenMs: NaN },
      { ...good, readings: -1 },
      { ...good, outputs: [{ ...output, stream: 'a/b' }] },
      { ...good, outputs: [{ ...output, backend: '' }] },
      { ...good, observation: new Uint8Array((1 << 20) + 1) },
    ].map((append) =>
      store.append(append).then(
        () => 'kept',
        (error: unknown) => failureOf(error).field,
      ),
    ),
  );
  const fields = ['source', 'source', 'takenMs', 'readings', 'stream', 'backend', 'observation'];
  assert.deepEqual(results, ['kept', ...fields]);
});

test('more than may wait for the disk is refused, and the rest is kept', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const size = 1 << 20;
  const fitting = WAITING_BYTES_MAX / size;
  const results = await Promise.all(
    Array.from({ length: fitting + 3 }, (_, number) =>
      codeOf(store.append(observation(number, 'meter', [], size))),
    ),
  );
  const refused = results.filter((code) => code === 'store-busy').length;
  assert.ok(refused >= 3 && refused <= 4, `${refused} refused`);
  assert.equal(results.filter((code) => code === 'none').length, results.length - refused);
});

test('the raw store keeps within age, the outbox keeps all', async (context) => {
  const retention = { ageMs: 20_000, bytes: 1 << 20 };
  const clock = new VirtualClock();
  const store = await opened(context, { directory: folder(context), retention, clock });
  await eachSecond(store, clock, 60, 10);
  assert.deepEqual(await numbersKept(store), upTo(60).slice(39));
  assert.equal((await store.due('utility', 'measurement', 0, 100)).length, 60);
});

test('the raw store keeps within bytes, beside what is not sorted yet', async (context) => {
  const retention = { ageMs: 3_600_000, bytes: 150_000 };
  const clock = new VirtualClock();
  const store = await opened(context, { directory: folder(context), retention, clock });
  await eachSecond(store, clock, 100, 4000);
  const numbers = await numbersKept(store);
  assert.deepEqual(numbers, upTo(100).slice(-numbers.length));
  assert.ok(numbers.length >= 30, `${numbers.length} are left`);
  assert.ok(numbers.length * 4000 <= retention.bytes + 64 * 1024, `${numbers.length} are left`);
});

async function eachSecond(store: Store, clock: VirtualClock, count: number, size: number) {
  for (const number of upTo(count)) {
    const kept = store.append(observation(number, 'meter', ['utility'], size));
    clock.advance(1000);
    await kept;
  }
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

async function numbersKept(store: Store): Promise<readonly number[]> {
  const kept = await store.observations('meter', 0, 1000);
  return kept.map(({ observation: bytes }) => numberOf(bytes));
}

test('a page is bounded in bytes too, and the next one goes on after it', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  const size = 1 << 19;
  await Promise.all(
    Array.from({ length: 12 }, (_, number) =>
      store.append(observation(number, 'meter', ['utility'], size)),
    ),
  );
  assert.ok((await store.due('utility', 'measurement', 0, 100)).length < 12);
  assert.deepEqual(
    (await owedIn(store)).map(({ sequence }) => sequence),
    Array.from({ length: 12 }, (_, number) => number),
  );
});

interface NarrowPlace {
  readonly directory: string;
  /** What a full disk is called there. */
  readonly code: string;
  readonly widen: () => void;
  readonly leave: () => void;
}

/** A place with little room: a small tmpfs, or where that may not be mounted a limit on files. */
function narrowPlace(context: TestContext): NarrowPlace {
  const directory = folder(context);
  mkdirSync(directory, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
  if (mounted.status === 0) {
    const run =
      (command: string, ...words: string[]) =>
      () =>
        void execFileSync(command, words);
    const widen = run('mount', '-o', 'remount,size=64m', directory);
    return { directory, code: 'disk-full', widen, leave: run('umount', directory) };
  }
  const limit = (bytes: string) => () => {
    execFileSync('prlimit', [`--fsize=${bytes}:`, '--pid', String(process.pid)]);
  };
  limit('12582912')();
  const widen = limit('unlimited');
  return { directory, code: 'disk-error', widen, leave: widen };
}

/** All that is owed to `utility`, page by page. */
async function owedIn(store: Store): Promise<readonly DueEntry[]> {
  const owed: DueEntry[] = [];
  for (;;) {
    const page = await store.due('utility', 'measurement', owed.at(-1)?.id ?? 0, 1000);
    if (page.length === 0) return owed;
    owed.push(...page);
  }
}

test('a full disk refuses with a code, loses nothing, and is recovered from', async (context) => {
  const { directory, code, widen, leave } = narrowPlace(context);
  const store = await openStore({ directory });
  try {
    const size = 1 << 18;
    let number = 0;
    let seen = 'none';
    for (; seen === 'none' && number < 100; number += 1) {
      seen = await codeOf(store.append(observation(number, 'meter', ['utility'], size)));
    }
    assert.equal(seen, code);
    assert.equal(await codeOf(store.append(observation(number, 'meter', ['utility'], size))), code);
    widen();
    await store.append(observation(number, 'meter', ['utility'], size));
    const due = await owedIn(store);
    assert.deepEqual(
      due.map(({ sequence, records }) => [sequence, numberOf(records)]),
      [...Array.from({ length: number - 1 }, (_, index) => [index, index]), [number + 1, number]],
    );
    const [meter] = await store.streams('utility');
    assert.deepEqual(
      meter?.gaps.map(({ first, last, reason }) => [first, last, reason]),
      [[number - 1, number, 'disk-full']],
    );
  } finally {
    await store.close();
    leave();
  }
});

test('acknowledgements are committed alone where the appends find no room', async () => {
  for (const [code, outcome] of [
    ['disk-full', ['disk-full', 'none']],
    ['disk-error', ['disk-error', 'none']],
    ['store-damaged', ['store-damaged', 'store-damaged']],
  ] as const) {
    const clock = new VirtualClock();
    const committer = new Committer({
      clock,
      delayMs: 10,
      now: () => ({ openMs: 0 }),
      async commit({ kept }) {
        await Promise.resolve();
        if (kept.length > 0) throw new OperatingError(code, 'refused');
      },
    });
    const both = Promise.all([
      codeOf(committer.append(observation(0, 'meter', ['utility']))),
      codeOf(committer.acknowledge({ backend: 'utility', ids: [1], awaitReceipt: false })),
    ]);
    await committer.flush();
    assert.deepEqual(await both, outcome);
  }
});

test('a full disk takes acknowledgements, and appends into what they free', async (context) => {
  const { directory, code, widen, leave } = narrowPlace(context);
  if (code !== 'disk-full') {
    leave();
    context.skip('no small file system may be mounted');
    return;
  }
  const reserve = join(directory, 'reserve');
  let store = await openStore({ directory });
  try {
    assert.ok(statSync(reserve).blocks * 512 >= 8 << 20, 'room that is really taken');
    assert.ok((await fill(store)) > 50);
    // Another program takes what is left: the log cannot grow, and soon is full.
    spawnSync('dd', ['if=/dev/zero', `of=${join(directory, 'other')}`, 'bs=1k']);
    const ids = (await owedIn(store)).map(({ id }) => id);
    assert.equal(await append(store), code);
    assert.deepEqual(
      await Promise.all([append(store), codeOf(store.acknowledge('utility', ids.slice(0, 1)))]),
      ['none', 'none'],
      'what comes with it has its place',
    );
    let taken = 1;
    for (; taken < 40; taken += 1) {
      await store.acknowledge('utility', ids.slice(taken, taken + 1));
    }
    // An append takes the places that they freed, and nothing of the reserve's room.
    let appended = await fill(store);
    assert.ok(appended > 0 && appended <= taken, `${appended} for ${taken}`);
    await store.close();

    writeFileSync(reserve, 'cut short');
    store = await openStore({ directory });
    assert.ok(!existsSync(reserve));
    await store.acknowledge('utility', ids.slice(taken, taken + 10));
    appended = await fill(store);
    assert.ok(appended > 0 && appended <= 10, `${appended} for 10 after a restart`);
    await store.acknowledge('utility', ids);
    assert.ok((await fill(store)) > 20);
    widen();
    assert.equal(await append(store), 'none');
    assert.ok(existsSync(reserve), 'it is taken again');
  } finally {
    await store.close();
    leave();
  }
});

const append = (store: Store): Promise<string> =>
  codeOf(store.append(observation(0, 'meter', ['utility'], 50_000)));

/** Appends until that is refused; answers how often it was not. */
async function fill(store: Store): Promise<number> {
  let appended = 0;
  while ((await append(store)) === 'none') appended += 1;
  return appended;
}

test('the end of the thread is told, and no call is left waiting', async (context) => {
  const threadFile = new URL('../support/mortal-thread.ts', import.meta.url);
  const store = await openStore({ directory: folder(context), threadFile });
  const asked = codeOf(store.counts());
  assert.equal((await store.died).code, 'store-died');
  // The answer may have left before the thread ended.
  assert.ok(['none', 'store-died'].includes(await asked));
  assert.equal(await codeOf(store.append(observation(0, 'meter', []))), 'store-died');
});

test('a retention that keeps nothing is a mistake of the caller', async (context) => {
  for (const retention of [
    { ageMs: 0, bytes: 1 },
    { ageMs: 1, bytes: -(2 ** 31) },
  ]) {
    await assert.rejects(openStore({ directory: folder(context), retention }), {
      code: 'ERR_ASSERTION',
    });
  }
});

test('a thread that cannot be started rejects, and leaves nothing waiting', async (context) => {
  const directory = folder(context);
  const threadFile = new URL('no-such-thread.ts', import.meta.url);
  assert.equal(await codeOf(openStore({ directory, threadFile })), 'store-died');
  mkdirSync(dirname(directory), { recursive: true });
  writeFileSync(directory, 'a file where the directory should be');
  assert.equal(await codeOf(openStore({ directory })), 'disk-error');
});

test('people look at an entry and at the streams without moving anything', async (context) => {
  const store = await opened(context, { directory: folder(context) });
  await store.append(observation(7, 'meter', ['utility', 'grid']));
  const [due] = await store.due('utility', 'measurement', 0, 1);
  assert.ok(due);
  await store.quarantine('utility', due.id, { code: 'topic-refused', message: 'no' });
  const entry = await store.entry('utility', due.id);
  assert.deepEqual(entry, due);
  assert.equal(numberOf(entry.records), 7);
  assert.equal(await store.entry('grid', due.id), undefined, 'it is owed to another');
  const [seen] = await store.streams('utility');
  assert.deepEqual([seen?.through, seen?.gaps[0]?.reason], [0, 'quarantined']);
  assert.deepEqual(await store.streams('nobody'), []);
  assert.equal((await store.standing('utility')).number, 1, 'no manifest was begun by looking');
});
