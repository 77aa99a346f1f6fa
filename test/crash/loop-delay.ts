/**
 * To be loaded with `--import` into the daemon: measures how late the event loop comes to a timer,
 * from SIGUSR2 on, and writes the latenesses in milliseconds to the file LOOP_DELAYS at the end.
 */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const EVERY_MS = 5;
const file = process.env['LOOP_DELAYS'];

if (isMainThread && file !== undefined) measure(file);

function measure(to: string): void {
  let delaysMs: number[] = [];
  let due = performance.now() + EVERY_MS;
  setInterval(() => {
    const now = performance.now();
    delaysMs.push(now - due);
    due = now + EVERY_MS;
  }, EVERY_MS).unref();
  process.on('SIGUSR2', () => (delaysMs = []));
  process.once('exit', () => writeFileSync(to, JSON.stringify(delaysMs)));
}
