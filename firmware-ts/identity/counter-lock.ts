import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { OperatingError } from '#bytes/failure.ts';
import type { CounterLedger } from './counter-ledger.ts';
import { openCounterLedger } from './counter-ledger.ts';

/** A ledger that no other process opens meanwhile. */
export interface HeldLedger {
  readonly ledger: CounterLedger;
  readonly release: () => Promise<void>;
}

/**
 * Opens the ledger in a file for this process alone: two that hand out the numbers of one file
 * would hand out the same. The hold is a name of a Unix socket without a file, which the kernel
 * takes back when the process dies, however it dies. It holds among processes that see one another
 * on the loopback (unix(7), abstract sockets), not between containers.
 * Errors: `counters-in-use`, those of `openCounterLedger`.
 */
export async function holdCounterLedger(path: string): Promise<HeldLedger> {
  const release = await held(lockNameOf(path), path);
  try {
    return { ledger: openCounterLedger(path), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** One name for one file, by whatever path it is reached. */
function lockNameOf(path: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const real = join(realpathSync(dirname(path)), basename(path));
  return `\0normd-counters-${createHash('sha256').update(real).digest('hex')}`;
}

async function held(name: string, path: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  server.listen(name);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new OperatingError('counters-in-use', `another program uses the counters in ${path}`, {
      path,
      cause,
      hint: 'wait until it is done, or use a file and a system title of your own',
    });
  }
  server.unref();
  return async () => {
    server.close();
    await once(server, 'close');
  };
}
