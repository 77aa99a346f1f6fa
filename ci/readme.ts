/**
 * Runs what the README tells a newcomer to run, in this checkout:
 *   ```sh        must exit with 0; a ```text block right after it is its expected output
 *   ```sh live   runs until Ctrl-C, which must end it with 0
 * Other blocks are not commands. So the README cannot tell of what does not work.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..');
const LIVE_SECONDS = 10;

interface Block {
  readonly info: string;
  readonly body: string;
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

export function blocksIn(text: string): readonly Block[] {
  const fences = text.matchAll(/^ *```([^\n]*)\n(.*?)^ *```$/gms);
  return Array.from(fences, ([, info = '', body = '']) => ({ info: info.trim(), body }));
}

async function execute(body: string, live: boolean): Promise<Outcome> {
  // A shell that has a trap waits for what it runs, as an interactive one does.
  const script = live ? `trap : INT; ${body}` : body;
  const shell = spawn('bash', ['-eu', '-o', 'pipefail', '-c', script], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const closed = new Promise<number | null>((resolve) => shell.on('close', resolve));
  if (live) {
    await pause(LIVE_SECONDS * 1000);
    if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGINT');
  }
  return { status: await closed, output };
}

function fault({ status, output }: Outcome, expected: string | undefined): string | undefined {
  if (status !== 0) return `exit status ${String(status)}\n${output}`;
  if (expected === undefined || output.trim() === expected.trim()) return undefined;
  return `printed\n${output}\ninstead of\n${expected}`;
}

async function check(): Promise<number> {
  const blocks = blocksIn(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  let faults = 0;
  for (const [index, { info, body }] of blocks.entries()) {
    if (info !== 'sh' && info !== 'sh live') continue;
    const next = blocks[index + 1];
    const expected = next?.info === 'text' ? next.body : undefined;
    const wrong = fault(await execute(body, info === 'sh live'), expected);
    console.log(`${wrong === undefined ? 'ok  ' : 'FAIL'} ${body.trim()}`);
    if (wrong !== undefined) {
      faults += 1;
      console.log(wrong);
    }
  }
  return faults;
}

if (import.meta.main) process.exitCode = (await check()) === 0 ? 0 : 1;
