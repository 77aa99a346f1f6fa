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

/** Decompresses much, of which nothing is held; tells by how much what is old grew at most. */
const DECOMPRESSING = `
  const { zstdCompressSync, zstdDecompressSync } = await import('node:zlib');
  const { getHeapSpaceStatistics } = await import('node:v8');
  const oldBytes = () =>
    getHeapSpaceStatistics().find((space) => space.space_name === 'old_space').space_used_size;
  const packed = zstdCompressSync(Buffer.alloc(1_000));
  const startBytes = oldBytes();
  let mostBytes = startBytes;
  for (let turn = 0; turn < 100; turn += 1) {
    for (let index = 0; index < 100; index += 1) zstdDecompressSync(packed);
    await new Promise((resolve) => setImmediate(resolve));
    mostBytes = Math.max(mostBytes, oldBytes());
  }
  console.log(mostBytes - startBytes);`;

const SMALL_YOUNG = '--max-semi-space-size=1';

function mebibytes(program: string, ...options: readonly string[]): number {
  const all = [...options, '--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, all, { encoding: 'utf8' })) / 2 ** 20;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('the young generation of a busy thread stays small once it is told to', () => {
  const told = `(await import(${JSON.stringify(MEMORY)})).keepYoungSmall();`;
  assert.ok(mebibytes(BUSY) > 8, 'as V8 does it by itself');
  assert.ok(mebibytes(told + BUSY) <= 8, 'once more it may double before that is seen');
});

test('what dies late does not pile up in a thread that is told to collect it', () => {
  const told = `(await import(${JSON.stringify(MEMORY)})).keepOldSmall();`;
  assert.ok(mebibytes(DECOMPRESSING, SMALL_YOUNG) > 2.2, 'as V8 does it by itself');
  assert.ok(mebibytes(told + DECOMPRESSING, SMALL_YOUNG) < 2.2);
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
