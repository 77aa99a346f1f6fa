import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#sim/virtual-clock.ts';

test('a virtual clock runs timers in the order they fall due, also those set on the way', () => {
  const clock = new VirtualClock({ second: 100 });
  const ran: (readonly [string, number])[] = [];
  const note = (name: string) => () => void ran.push([name, clock.monotonic()]);
  clock.after(20, note('late'));
  clock.after(10, () => {
    note('early')();
    clock.after(5, note('nested'));
  });
  const cancel = clock.after(12, note('cancelled'));
  cancel();
  assert.equal(clock.next, 10);
  clock.advance(2500);
  assert.deepEqual(ran, [
    ['early', 10],
    ['nested', 15],
    ['late', 20],
  ]);
  assert.equal(clock.next, undefined);
  const { second, nanosecond } = clock.wall();
  assert.deepEqual([second, nanosecond], [102, 500_000_000]);
});

test('a turned clock lets promises settle between two timers', async () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  clock.after(1, () => {
    void Promise.resolve().then(() => ran.push('promise'));
  });
  clock.after(2, () => void ran.push('timer'));
  await clock.run(2);
  assert.deepEqual(ran, ['promise', 'timer']);
});
