import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { letGo } from '#system/memory.ts';

const MEMORY = join(import.meta.dirname, '../../firmware-ts/system/memory.ts');

/** Objects of which many outlive a collection of the young generation, and none much longer. */
const BUSY = `
  const held = Array.from({ length: 2_000 });
  for (let turn = 0; turn < 3_000; turn += 1) {
    for (let index = 0; index < held.length; index += 1) held[index] = { turn, index };
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { getHeapSpaceStatistics } = await import('node:v8');
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  console.log(young.space_size);`;

function youngMiB(before: string): number {
  const program = `${before}\n${BUSY}`;
  const options = ['--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, options, { encoding: 'utf8' })) / 2 ** 20;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('the young generation of a busy thread stays small once it is told to', () => {
  const told = `(await import(${JSON.stringify(MEMORY)})).keepYoungSmall();`;
  assert.ok(youngMiB('') > 8, 'as V8 does it by itself');
  assert.ok(youngMiB(told) <= 8, 'once more it may double before that is seen');
});

test('memory is let go only where it holds nothing else', () => {
  const page = Uint8Array.from(upTo(100));
  const [first, second] = [page.subarray(0, 40), page.subarray(40)];
  letGo([first]);
  letGo([first, page]);
  letGo([first, new Uint8Array(60)]);
  assert.equal(page.length, 100);
  letGo([first, second]);
  assert.deepEqual([page.length, second.length], [0, 0]);
  letGo([first, second]); // of what is gone nothing is left to let go
});
