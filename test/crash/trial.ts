import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAST_FOLDER, STATE, write } from './history.ts';
import { inspect } from './inspect.ts';
import { Obligations } from './obligations.ts';
import type { CrashState } from './states.ts';
import type { Image } from './volume.ts';

/** Names the folder of a kept state: then that one alone is tried. */
export const KEPT_STATE = process.env['NORMD_CRASH_STATE'];

/** It only takes up room, in every state the same 8 MiB. */
const RESERVE = `${STATE}/reserve`;
const FACTS = 'facts';

/** Opens a copy of what a power cut left; answers why it breaks the contract, if it does. */
export function faultOf(image: Image, obligations: Obligations): string | undefined {
  const folder = mkdtempSync(join(FAST_FOLDER, 'normd-state-'));
  try {
    write(new Map([...image].filter(([path]) => path !== RESERVE)), folder);
    inspect(join(folder, STATE), obligations);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Keeps a state that breaks the contract; answers the command that tries it again. */
export function keep({ image, obligations }: CrashState): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-broken-'));
  write(image, folder);
  writeFileSync(join(folder, FACTS), obligations.lines().join('\n'));
  return `NORMD_CRASH_STATE=${folder} npm test -- power-cut`;
}

export function kept(folder: string): Pick<CrashState, 'image' | 'obligations'> {
  const obligations = new Obligations();
  for (const fact of readFileSync(join(folder, FACTS), 'utf8').split('\n')) obligations.take(fact);
  const image = new Map<string, Uint8Array | undefined>();
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of found) {
    const path = join(entry.parentPath, entry.name);
    if (entry.name === FACTS) continue;
    const name = path.slice(folder.length + 1);
    image.set(name, entry.isDirectory() ? undefined : readFileSync(path));
  }
  // Directories come before what is in them.
  return { image: new Map([...image].sort(([a], [b]) => (a < b ? -1 : 1))), obligations };
}
