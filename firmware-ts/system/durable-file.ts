import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Puts `bytes` at `path` so that a power cut leaves the old file or the new one, never a part:
 * written beside it, synced, renamed over it, and the directory synced. `mode` holds from the
 * first byte on, whatever the umask. Errors are those of the file system.
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array | string,
  mode: number,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await rm(temporary, { force: true }); // what a process of the same number left behind
  try {
    await withFile(await open(temporary, 'wx', mode), async (file) => {
      await file.chmod(mode);
      await file.writeFile(bytes);
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await withFile(await open(dirname(path), 'r'), (directory) => directory.sync());
}

async function withFile(file: FileHandle, work: (file: FileHandle) => Promise<void>) {
  try {
    await work(file);
  } finally {
    await file.close();
  }
}
