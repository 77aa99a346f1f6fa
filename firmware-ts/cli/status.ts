import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '#control/client.ts';
import type { Invocation, Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { printData, printProblems } from './report.ts';
import { problemsOf } from './status-problems.ts';
import { printStatus } from './status-view.ts';
import type { Terminal } from './terminal.ts';

const WATCH_INTERVAL_MS = 2000;

/** `normctl status [--socket PATH] [--watch]`; watching ends with Ctrl-C or a failure. */
export const status: Verb = async (invocation, terminal) => {
  for (;;) {
    const code = await showOnce(invocation, terminal);
    if (invocation.options['watch'] !== true) return code;
    await pause(WATCH_INTERVAL_MS);
    if (!invocation.json) terminal.out();
  }
};

async function showOnce(invocation: Invocation, terminal: Terminal): Promise<ExitCode> {
  const seen = await askStatus(String(invocation.options['socket']));
  const problems = problemsOf(seen);
  if (!invocation.json) printStatus(terminal, seen, problems);
  else if (problems.length === 0) printData(terminal, invocation, seen);
  else printProblems(terminal, invocation, problems, seen);
  return problems.length === 0 ? EXIT.ok : EXIT.notGood;
}
