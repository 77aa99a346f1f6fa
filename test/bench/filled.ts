import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sender } from './senders.ts';

/** A port on which nobody listens: of `tcpmux`. */
export const NOBODY = 'mqtt://127.0.0.1:1';

export const QUEUED = { streams: 10, count: 100_000, readings: [10, 10], stamped: false } as const;
export const QUEUED_READINGS = 1_000_000;

/** Folders of this run; gone with it. */
const root = mkdtempSync(join(tmpdir(), 'normd-bench-'));
process.once('exit', () => rmSync(root, { recursive: true, force: true }));

export function emptyFolder(): string {
  return join(mkdtempSync(join(root, 'state-')), 'store');
}

let filled: Promise<string> | undefined;

/** A copy of a store that owes a million readings: ten meters, ten readings an observation. */
export async function filledFolder(): Promise<string> {
  filled ??= fill();
  const folder = emptyFolder();
  cpSync(await filled, folder, { recursive: true });
  return folder;
}

/** Left as a killed process leaves it. */
async function fill(): Promise<string> {
  const folder = emptyFolder();
  const sender = new Sender(folder, NOBODY);
  await sender.opened;
  await sender.load(QUEUED);
  await sender.kill();
  return folder;
}
