import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back to the machine what the calling thread has used to start and needs no more. V8
 * collects when something is allocated: a thread with nothing to do would keep it. It stops the
 * thread for some hundredths of a second.
 */
export function releaseMemory(): void {
  collector()({ type: 'major', flavor: 'last-resort' }); // which also gives back spare pages
}

function collector(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc'); // from here on new contexts have a `gc`
  return runInNewContext('gc') as NodeJS.GCFunction;
}

/** Two halves of 2 MiB: less makes the decoding of large profiles several times slower. */
const YOUNG_BYTES = 4 << 20;

/**
 * Lets the young generation of the calling thread grow to `YOUNG_BYTES`, and that of no thread any
 * more from then on. V8 would double it to 32 MiB while much is under way, and gives it back late;
 * the flag is asked whenever it could grow.
 */
export function keepYoungSmall(): void {
  const observer = new PerformanceObserver(() => {
    if (bytesIn('new_space', 'space_size') < YOUNG_BYTES) return;
    observer.disconnect();
    setFlagsFromString('--semi-space-growth-factor=1');
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** A collection takes some 10 ms then; ten times as much would be the growth that it prevents. */
const OLD_GROWTH_BYTES = 1 << 20;

/**
 * Collects the old objects of the calling thread whenever they have grown by `OLD_GROWTH_BYTES`
 * since they were last collected. V8 would let a small heap grow by several times as much first.
 * For a thread that makes much that dies late: a decompressor of Node's outlives every collection
 * of the young, because its native half holds it.
 */
export function keepOldSmall(): void {
  const collect = collector();
  let leftBytes = oldBytes();
  const observer = new PerformanceObserver(() => {
    if (oldBytes() < leftBytes + OLD_GROWTH_BYTES) return;
    collect({ type: 'major', execution: 'sync' });
    leftBytes = oldBytes();
  });
  observer.observe({ entryTypes: ['gc'] });
}

function oldBytes(): number {
  return bytesIn('old_space', 'space_used_size');
}

/** Of a part of the calling thread's heap. */
function bytesIn(part: string, size: 'space_size' | 'space_used_size'): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === part)?.[size] ?? 0;
}

/**
 * Gives the one buffer back that all of `parts` lie in, now instead of at some major collection;
 * they are empty then. If they are not all that is in it nothing happens.
 */
export function letGo(parts: readonly Uint8Array[]): void {
  const buffer = parts[0]?.buffer;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === Buffer.poolSize) return;
  let bytes = 0;
  for (const part of parts) bytes += part.buffer === buffer ? part.byteLength : Infinity;
  if (bytes > 0 && bytes === buffer.byteLength) buffer.transfer(0);
}
