import { ServedStore } from './served-store.ts';
import type { StoreOptions } from './setting.ts';
import { settingOf } from './setting.ts';
import type { Store } from './store.ts';
import { ThreadCaller } from './thread-caller.ts';

export type { StoreOptions } from './setting.ts';

export interface ThreadOptions extends StoreOptions {
  /** The thread's file, where it is not beside this one. */
  readonly threadFile?: URL;
}

/**
 * Starts the store's thread and opens the file.
 * Errors: `store-locked`, `disk-full`, `disk-error`, `disk-read-only`, `store-died`.
 */
export async function openStore(options: ThreadOptions): Promise<Store> {
  const { books, committer } = settingOf(options);
  const { threadFile = threadFileBeside(import.meta.url) } = options;
  const caller = new ThreadCaller(threadFile, books);
  return new ServedStore(caller, committer, await caller.opened);
}

/** The thread's program is a file of its own beside this one, in the sources and in the bundle. */
function threadFileBeside(module: string): URL {
  return new URL(module.endsWith('.ts') ? './thread.ts' : './thread.mjs', module);
}
