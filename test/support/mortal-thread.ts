import { parentPort } from 'node:worker_threads';
import type { Request } from '#store/messages.ts';
import '#store/thread.ts';

/** The store's thread, except that being asked for counts is the end of it; also for `--import`. */
parentPort?.on('message', ({ call }: Request) => {
  if (call === 'counts') process.exit(1);
});
