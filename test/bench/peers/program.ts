import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cpuSeconds, residentMiB, writtenBytes } from '../processes.ts';
import type { FeedOrder } from './feeder.ts';
import { feedOver } from './feeding.ts';
import type { Running } from './peer.ts';

/** Another's program, once it listens on `port`, over which it is fed. */
export async function startProgram(
  command: string,
  words: readonly string[],
  { over, port }: Pick<FeedOrder, 'over' | 'port'>,
): Promise<Running> {
  const child = spawn(command, words, { stdio: 'ignore' });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${child.exitCode}`);
    await pause(10);
  }
  return {
    feed: (feed) => feedOver({ ...feed, over, port }),
    residentMiB: () => residentMiB(child),
    writtenBytes: () => writtenBytes(child),
    cpuSeconds: () => cpuSeconds(child),
    kill: () => killed(child),
  };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
