import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back to the machine what the calling thread has used to start and needs no more. V8
 * collects when something is allocated: a thread with nothing to do would keep it. It stops the
 * thread for some hundredths of a second.
 */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc'); // from here on new contexts have a `gc`
  const collect = runInNewContext('gc') as NodeJS.GCFunction;
  collect({ type: 'major', flavor: 'last-resort' }); // which also gives back spare pages
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
    if (youngBytes() < YOUNG_BYTES) return;
    observer.disconnect();
    setFlagsFromString('--semi-space-growth-factor=1');
  });
  observer.observe({ entryTypes: ['gc'] });
}

function youngBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  return young?.space_size ?? 0;
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
