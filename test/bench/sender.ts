/**
 * A gateway's store and uplink in a process of their own: `sender.ts DIRECTORY URL`. Tells over the
 * channel what senders.ts names `Told`; each message to it is a load to append.
 */
import { argv } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { keepYoungSmall } from '#system/memory.ts';
import { openUplink } from '#uplink/open.ts';
import { appendOf, BACKEND, GATEWAY, type Load, sharedMs } from './load.ts';
import type { Told } from './senders.ts';

/** Observations that wait for the disk together. */
const IN_FLIGHT = 2_000;
const TELL_MS = 50;

const [directory = '', url = ''] = argv.slice(2);
const tell = (told: Told): void => void process.send?.(told);

keepYoungSmall(); // as the daemon does
const openingMs = sharedMs();
const store = await openStore({ directory });
const openMs = sharedMs() - openingMs;
const uplink = openUplink(
  { backend: BACKEND, gateway: GATEWAY, software: '0', url },
  { store, clock: machineClock, entropy: machineEntropy, log: () => undefined },
);
tell({ kind: 'opened', openingMs, openMs });
setInterval(tellStatus, TELL_MS);
process.on('message', (load: Load) => void appendAll(store, load));

function tellStatus(): void {
  const { state, window, readingsAcknowledged } = uplink.status();
  const told = { kind: 'status', state: state.kind, readingsAcknowledged } as const;
  tell(window === undefined ? told : { ...told, window });
}

async function appendAll(to: Store, load: Load): Promise<void> {
  const start = performance.now();
  let [next, waiting] = [0, 0];
  while (next < load.count || waiting > 0) {
    const elapsedMs = performance.now() - start;
    const due = load.perSecond === undefined ? Infinity : (elapsedMs * load.perSecond) / 1000;
    while (next < Math.min(load.count, due) && waiting < IN_FLIGHT) {
      waiting += 1;
      void to.append(appendOf(load, next)).then(() => (waiting -= 1));
      next += 1;
    }
    await pause(1);
  }
  tell({ kind: 'loaded' });
}
