import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { Committer } from '#store/committer.ts';
import { type StoreHere, openStoreHere } from '#store/here.ts';
import type { Batch } from '#store/messages.ts';
import type { Append } from '#store/store.ts';
import { folder, numberOf, observation } from '../support/store.ts';

const BACKEND = 'utility';
const DELAY_MS = 1000;

function ofClass(number: number, of: DeliveryClass): Append {
  const append = observation(number, 'meter', [BACKEND]);
  const outputs = append.outputs.map((one) => ({ ...one, stream: `meter_${of}`, class: of }));
  return { ...append, outputs };
}

/** A committer before a disk whose commits end when they are told to. */
function slowDisk(delayMs = DELAY_MS) {
  const clock = new VirtualClock();
  const batches: Batch[] = [];
  const ends: (() => void)[] = [];
  const committer = new Committer({
    clock,
    now: () => ({ openMs: clock.monotonic() }),
    delayMs,
    commit(batch) {
      batches.push(batch);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const counts = (): readonly number[] =>
    batches.map(({ kept }) => kept.reduce((sum, { count }) => sum + count, 0));
  return { clock, committer, batches, counts, turn, end: () => ends.shift()?.() };
}

test('what comes within the delay is committed together, and no sooner', () => {
  const { clock, committer, counts } = slowDisk();
  for (let number = 0; number < 5; number += 1) {
    void committer.append(ofClass(number, 'measurement'));
    clock.advance(DELAY_MS / 5 - 1);
  }
  assert.deepEqual(counts(), []);
  clock.advance(5);
  assert.deepEqual(counts(), [5]);
});

test('without a delay an append is committed at once', () => {
  const { committer, counts } = slowDisk(0);
  void committer.append(ofClass(0, 'measurement'));
  assert.deepEqual(counts(), [1]);
});

test('what belongs together is in one commit, also where a group is nearly full', () => {
  const { clock, committer, counts } = slowDisk();
  const appends = (count: number) =>
    Array.from({ length: count }, (_, number) => ofClass(number, 'measurement'));
  for (const one of appends(1999)) void committer.append(one);
  void committer.appendAll(appends(100));
  void committer.append(ofClass(0, 'measurement'));
  clock.advance(DELAY_MS);
  assert.deepEqual(counts(), [2099], 'only what comes after them is in the next');
});

for (const name of ['command', 'alarm'] as const) {
  test(`what is of class ${name} is committed at once, with all that came before it`, async () => {
    const { committer, counts, batches, end, turn } = slowDisk();
    const before = committer.append(ofClass(0, 'measurement'));
    void committer.append(ofClass(1, 'bulk'));
    const urgent = committer.append(ofClass(2, name));
    await turn();
    assert.deepEqual(counts(), [3]);
    assert.deepEqual(
      batches[0]?.owed.map((run) => run.class),
      ['measurement', 'bulk', name],
    );
    end();
    await Promise.all([before, urgent]);
    void committer.append(ofClass(3, 'measurement'));
    await turn();
    assert.deepEqual(counts(), [3], 'what comes after it waits again');
  });
}

test('alarms of one turn are committed together', async () => {
  const { committer, counts, turn } = slowDisk();
  for (const number of [0, 1, 2]) void committer.append(ofClass(number, 'alarm'));
  await turn();
  assert.deepEqual(counts(), [3]);
});

test('something urgent waits for the commit at the disk, and then not for the delay', async () => {
  const { clock, committer, counts, end, turn } = slowDisk();
  void committer.append(ofClass(0, 'measurement'));
  clock.advance(DELAY_MS);
  void committer.append(ofClass(1, 'measurement'));
  void committer.append(ofClass(2, 'alarm'));
  await turn();
  assert.deepEqual(counts(), [1], 'one at a time');
  end();
  await turn();
  assert.deepEqual(counts(), [1, 2]);
});

const delivered = { backend: BACKEND, ids: [1], awaitReceipt: false };

test('an acknowledgement goes with the next append, and alone only after ten delays', () => {
  const { clock, committer, batches, counts, end } = slowDisk();
  void committer.acknowledge(delivered);
  clock.advance(2 * DELAY_MS);
  assert.deepEqual(counts(), []);
  void committer.append(ofClass(0, 'measurement'));
  clock.advance(DELAY_MS - 1);
  assert.deepEqual(counts(), []);
  clock.advance(1);
  assert.deepEqual([counts(), batches[0]?.acknowledged], [[1], [delivered]]);
  end();
});

test('acknowledgements alone are committed after ten delays, or when hurried', async () => {
  const { clock, committer, counts, end, turn } = slowDisk();
  void committer.acknowledge(delivered);
  clock.advance(10 * DELAY_MS - 1);
  assert.deepEqual(counts(), []);
  clock.advance(1);
  assert.deepEqual(counts(), [0]);
  end();
  await turn();
  const noted = committer.acknowledge(delivered);
  const flushed = committer.flush();
  assert.deepEqual(counts(), [0, 0]);
  end();
  await Promise.all([noted, flushed]);
});

async function store(context: TestContext, directory: string, clock: VirtualClock) {
  const opened = await openStoreHere({ directory, clock, commitDelayMs: DELAY_MS });
  context.after(() => opened.abandon());
  return opened;
}

async function numbersIn(one: StoreHere): Promise<readonly number[]> {
  const kept = await one.observations('meter', 0, 100);
  return kept.map(({ observation: bytes }) => numberOf(bytes));
}

test('a death takes what waited, and nothing that was confirmed', async (context) => {
  const directory = folder(context);
  const clock = new VirtualClock();
  const first = await store(context, directory, clock);
  const confirmed: number[] = [];
  for (const number of [0, 1, 2, 3]) {
    void first.append(ofClass(number, 'measurement')).then(() => confirmed.push(number));
    if (number === 1) await clock.run(DELAY_MS);
  }
  await clock.run(DELAY_MS - 1);
  assert.deepEqual(confirmed, [0, 1]);
  first.abandon();
  const second = await store(context, directory, clock);
  assert.deepEqual(await numbersIn(second), [0, 1]);
  const urgent = second.append(ofClass(4, 'alarm'));
  await clock.run(0);
  await urgent;
  second.abandon();
  const third = await store(context, directory, clock);
  assert.deepEqual(await numbersIn(third), [0, 1, 4]);
});
