import { closeSync, existsSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Chance } from './chance.ts';

/** As the store makes them. */
const PAGE_BYTES = 1024;
const PAGES_MAX = 8;

/**
 * Spoils the database of a process that is dead: pages are overwritten, or it is cut short. Its log
 * stays, since damage there looks like writes that the power cut, and is the end of the log.
 * Answers what was done; nothing where there is no file.
 */
export function damage(folder: string, chance: Chance): string | undefined {
  const file = join(folder, 'store', 'store.db');
  const pages = existsSync(file) ? Math.floor(statSync(file).size / PAGE_BYTES) : 0;
  if (pages === 0) return undefined;
  if (chance.happens(0.2)) {
    truncateSync(file, chance.below(pages) * PAGE_BYTES + chance.below(PAGE_BYTES));
    return 'cut short';
  }
  const count = chance.between(1, PAGES_MAX);
  const handle = openSync(file, 'r+');
  try {
    for (let done = 0; done < count; done += 1) {
      const at = chance.below(pages) * PAGE_BYTES;
      writeSync(handle, chance.bytes(PAGE_BYTES), 0, PAGE_BYTES, at);
    }
  } finally {
    closeSync(handle);
  }
  return `${count} pages`;
}
