import { setFlagsFromString } from 'node:v8';
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
