import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FeedOrder } from './feeder.ts';

/** Feeds once from a process of its own; `done` gets it before it ends. */
export async function feedOver(
  order: FeedOrder,
  done: (feeder: ChildProcess) => void = () => undefined,
): Promise<void> {
  const feeder = fork(join(import.meta.dirname, 'feeder.ts'));
  const ended = once(feeder, 'exit');
  feeder.send(order);
  await Promise.race([
    once(feeder, 'message'),
    ended.then(() => {
      throw new Error('the feeder has ended');
    }),
  ]);
  done(feeder);
  feeder.kill('SIGKILL');
  await ended;
}
