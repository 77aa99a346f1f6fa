import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeStored } from '#reading/stored.ts';
import { FAST_FOLDER } from './history.ts';
import { openHere } from './inspect.ts';

/**
 * Times, in milliseconds, of the observations that lie in a store's directory, by source. It reads
 * a copy: what a killed process has left must be there for the next one as it was. One that was
 * killed at its start may have left nothing.
 */
export function keptIn(
  directory: string,
  sources: readonly string[],
): ReadonlyMap<string, readonly number[]> {
  if (!existsSync(directory)) return new Map(sources.map((source) => [source, []]));
  const copy = mkdtempSync(join(FAST_FOLDER, 'normd-kept-'));
  cpSync(directory, copy, { recursive: true, filter: (file) => basename(file) !== 'reserve' });
  const store = openHere(copy);
  try {
    return new Map(sources.map((source) => [source, timesOf(store, source)]));
  } finally {
    store.close();
    rmSync(copy, { recursive: true });
  }
}

function timesOf(store: ReturnType<typeof openHere>, source: string): readonly number[] {
  const times: number[] = [];
  let afterId = 0;
  for (;;) {
    const page = store.observations(source, afterId);
    if (page.length === 0) return times;
    for (const { id, observation } of page) {
      const { second, nanosecond } = decodeStored(observation).time;
      times.push(Math.round(second * 1000 + nanosecond / 1e6));
      afterId = id;
    }
  }
}
