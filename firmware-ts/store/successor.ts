import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import { diskFailure } from './disk-failure.ts';
import { sizeOf } from './files.ts';
import { begunOf, makeFile } from './make-file.ts';
import type { ThreadSetting } from './messages.ts';
import { migrate } from './migrations.ts';
import type { FreeBytes } from './reserve.ts';
import { reserveIn, roomIn } from './reserve.ts';
import type { CarriedOver } from './salvage/carry-over.ts';
import { carryOver } from './salvage/carry-over.ts';
import { Find } from './salvage/find.ts';
import type { Aside } from './set-aside.ts';

export interface Succession extends CarriedOver {
  /** Why nothing could be carried over. */
  readonly failure?: Failure;
}

const NOTHING: CarriedOver = { entries: 0, gaps: [] };

/** Less than this is not tried again with less. */
const LEAST_BYTES = 256 << 10;

/**
 * Makes the file that comes after one that was set aside, with what can be read of that. Whatever
 * is wrong with it, a new file is begun. Errors: codes of the disk.
 */
export function makeSuccessor(
  file: string,
  aside: Aside,
  setting: ThreadSetting,
  freeBytes: FreeBytes,
): Succession {
  let failure: Failure | undefined;
  if (aside.failure.code !== 'store-foreign' && existsSync(aside.file)) {
    try {
      return withFind(file, aside, setting, roomIn(dirname(file), freeBytes));
    } catch (error) {
      failure = failureOf(diskFailure(error));
      if (failure.code === 'disk-read-only') throw diskFailure(error);
    }
  }
  makeEmpty(file, setting);
  return { ...NOTHING, ...(failure === undefined ? {} : { failure }) };
}

/** The disk may have less room than it says: then it is tried with less. */
function withFind(
  file: string,
  aside: Aside,
  setting: ThreadSetting,
  roomBytes: number,
): CarriedOver {
  const find = new Find(aside.file);
  try {
    const epoch = find.epochAfter(setting.newEpoch + 1);
    for (let bytesMax = roomBytes; ; bytesMax = Math.min(bytesMax, sizeOf(begunOf(file))) / 2) {
      try {
        const filled = makeFile(file, setting, (database) => {
          migrate(database, epoch);
          return carryOver(database, find, { now: setting.now, bytesMax });
        });
        return filled ?? NOTHING;
      } catch (error) {
        const { code } = failureOf(diskFailure(error));
        if (code !== 'disk-full' || bytesMax < LEAST_BYTES) throw error;
      }
    }
  } finally {
    find.close();
  }
}

/** On a disk without any room the reserve is given up. */
function makeEmpty(file: string, setting: ThreadSetting): void {
  const epoch = setting.newEpoch + 1;
  const make = (): void => makeFile(file, setting, (database) => migrate(database, epoch));
  try {
    make();
  } catch (error) {
    const reserve = reserveIn(dirname(file));
    if (failureOf(diskFailure(error)).code !== 'disk-full' || !existsSync(reserve)) throw error;
    rmSync(reserve);
    make();
  }
}
