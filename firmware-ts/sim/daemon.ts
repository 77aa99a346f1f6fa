import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Lines of normd's log that are kept to explain a death. */
const LOG_LINES_MAX = 50;

/** A normd of its own process, as a user would run it. */
export interface Daemon {
  /** The last lines of its log. */
  log(): readonly string[];
  /** Resolves when it has ended, with its exit status; `null` after a signal. */
  readonly ended: Promise<number | null>;
  terminate(): void;
}

/** Beside this file in the sources, in one folder with it in the bundle. */
function program(): string {
  const source = join(import.meta.dirname, '../main.ts');
  return existsSync(source) ? source : join(import.meta.dirname, 'normd.mjs');
}

export function startDaemon(configuration: string): Daemon {
  const child = spawn(process.execPath, [program(), '--config', configuration], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C is for the scene, which stops normd in its turn
  });
  const lines: string[] = [];
  const keep = (text: string): void => {
    lines.push(...text.split('\n').filter((line) => line !== ''));
    lines.splice(0, lines.length - LOG_LINES_MAX);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  return {
    log: () => lines,
    ended: new Promise((resolve, reject) => {
      child.once('exit', resolve);
      child.once('error', reject);
    }),
    terminate: () => void child.kill('SIGTERM'),
  };
}
