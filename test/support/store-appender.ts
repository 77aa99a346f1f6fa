/**
 * Appends observations to the store in DIRECTORY from NUMBER on, without end, and writes a line
 * for each thing that the store has confirmed: `kept N` or `gone N` (acknowledged). To be killed.
 */
import { argv } from 'node:process';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';
import { BACKEND, contentOf, numbered } from './store-content.ts';

/** Enough to fill several groups while one is at the disk. */
const IN_FLIGHT = 64;

/** Every so often the oldest entries are acknowledged, so that deletes are cut short too. */
const ACKNOWLEDGE_EVERY = 100;

const [directory = '', first = '0'] = argv.slice(2);
const store = await openStore({ directory, runCountMax: 1 });
let next = Number(first);
await Promise.all(Array.from({ length: IN_FLIGHT }, appendForEver));

async function appendForEver(): Promise<void> {
  for (;;) {
    const number = next;
    next += 1;
    await store.append(numbered(number));
    process.stdout.write(`kept ${number}\n`);
    if (number % ACKNOWLEDGE_EVERY === 0) await acknowledgeOldest(store);
  }
}

async function acknowledgeOldest(from: Store): Promise<void> {
  const due = await from.due(BACKEND, 'measurement', 0, ACKNOWLEDGE_EVERY / 2);
  for (const { records } of due) process.stdout.write(`going ${contentOf(records)}\n`);
  await from.acknowledge(
    BACKEND,
    due.map(({ id }) => id),
  );
  for (const { records } of due) process.stdout.write(`gone ${contentOf(records)}\n`);
}
