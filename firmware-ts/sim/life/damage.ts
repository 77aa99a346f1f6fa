import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Chance } from './chance.ts';

/** As the store makes them. */
const PAGE_BYTES = 1024;
const PAGES_MAX = 8;

/** Of a log (sqlite.org/fileformat.html, 4). */
const LOG_HEAD_BYTES = 32;
const FRAME_BYTES = 24 + PAGE_BYTES;
const SALT = { at: 8, bytes: 8, inLogHead: 16 } as const;
/** In the head of a frame: not 0 where a transaction ends. */
const COMMIT_AT = 4;

export interface Damage {
  readonly where: 'file' | 'log';
  readonly what: string;
}

/**
 * Spoils the store of a process that is dead, its database or the log beside it. Answers what was
 * done; nothing where there was nothing to spoil.
 */
export function damage(folder: string, chance: Chance): Damage | undefined {
  const file = join(folder, 'store', 'store.db');
  const where = chance.pick(['file', 'log'] as const);
  const what = where === 'file' ? damageFile(file, chance) : damageLog(`${file}-wal`, chance);
  return what === undefined ? undefined : { where, what };
}

/** Pages are overwritten, or it is cut short. */
function damageFile(file: string, chance: Chance): string | undefined {
  const pages = existsSync(file) ? Math.floor(statSync(file).size / PAGE_BYTES) : 0;
  if (pages === 0) return undefined;
  if (chance.happens(0.2)) {
    truncateSync(file, chance.below(pages) * PAGE_BYTES + chance.below(PAGE_BYTES));
    return 'cut short';
  }
  const count = chance.between(1, PAGES_MAX);
  for (let done = 0; done < count; done += 1) {
    overwrite(file, chance.below(pages) * PAGE_BYTES, chance.bytes(PAGE_BYTES));
  }
  return `${count} pages`;
}

/**
 * A few octets. The last two transactions stay: damage there cannot be told from a
 * write that the power cut, and is the end of the log.
 */
function damageLog(log: string, chance: Chance): string | undefined {
  const ends = commitsIn(log);
  const frames = (ends.at(-3) ?? -1) + 1;
  if (frames === 0) return undefined;
  const bytes = chance.bytes(chance.between(1, 16));
  const at = chance.below(LOG_HEAD_BYTES + frames * FRAME_BYTES - bytes.length);
  overwrite(log, at, bytes);
  return `${bytes.length} octets at ${at}, before frame ${frames}`;
}

/** Frames that end a transaction, of those that were written since the log was begun anew. */
function commitsIn(log: string): readonly number[] {
  const bytes = existsSync(log) ? readFileSync(log) : Buffer.alloc(0);
  const salt = bytes.subarray(SALT.inLogHead, SALT.inLogHead + SALT.bytes);
  const ends: number[] = [];
  for (let frame = 0; LOG_HEAD_BYTES + (frame + 1) * FRAME_BYTES <= bytes.length; frame += 1) {
    const head = bytes.subarray(LOG_HEAD_BYTES + frame * FRAME_BYTES);
    if (!head.subarray(SALT.at, SALT.at + SALT.bytes).equals(salt)) break;
    if (head.readUInt32BE(COMMIT_AT) > 0) ends.push(frame);
  }
  return ends;
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const handle = openSync(file, 'r+');
  try {
    writeSync(handle, bytes, 0, bytes.length, at);
  } finally {
    closeSync(handle);
  }
}
