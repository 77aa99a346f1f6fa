import { tellEntry } from '#control/client.ts';
import type { EntryAction } from '#control/outbox.ts';
import type { Invocation, Verb } from './command.ts';
import { confirm } from './confirm.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { entryNamed } from './outbox-entry.ts';
import { printData } from './report.ts';
import type { Terminal } from './terminal.ts';

const DONE: Readonly<Record<EntryAction, string>> = {
  resend: 'is due again',
  discard: 'is forgotten',
};

/** `normctl outbox resend BACKEND ID` */
export const outboxResend: Verb = (invocation, terminal) => change('resend', invocation, terminal);

/** `normctl outbox discard BACKEND ID [--yes]` */
export const outboxDiscard: Verb = async (invocation, terminal) => {
  const { backend, id } = entryNamed(invocation.arguments);
  await confirm(`Forget entry ${id} of ${backend} for ever?`, invocation, terminal);
  return change('discard', invocation, terminal);
};

async function change(
  action: EntryAction,
  invocation: Invocation,
  terminal: Terminal,
): Promise<ExitCode> {
  const name = entryNamed(invocation.arguments);
  const done = await tellEntry(String(invocation.options['socket']), name, action);
  if (invocation.json) printData(terminal, invocation, done);
  else terminal.out(`${name.backend}: entry ${name.id} ${DONE[action]}`);
  return EXIT.ok;
}
