import { askEntry } from '#control/client.ts';
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { entryNamed } from './outbox-entry.ts';
import { printEntry } from './outbox-view.ts';
import { printData, printProblems } from './report.ts';

/** `normctl outbox show BACKEND ID` */
export const outboxShow: Verb = async (invocation, terminal) => {
  const name = entryNamed(invocation.arguments);
  const seen = await askEntry(String(invocation.options['socket']), name);
  const { failure } = seen;
  if (!invocation.json) printEntry(terminal, seen);
  else if (failure === undefined) printData(terminal, invocation, seen);
  else printProblems(terminal, invocation, [failure], seen);
  return failure === undefined ? EXIT.ok : EXIT.notGood;
};
