import { OperatingError } from '#bytes/failure.ts';
import { askOutbox } from '#control/client.ts';
import type { BackendOutbox, OutboxStatus } from '#control/outbox.ts';
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printOutbox } from './outbox-view.ts';
import { printData, printProblems } from './report.ts';

/** `normctl outbox list [BACKEND]` */
export const outboxList: Verb = async (invocation, terminal) => {
  const seen = await askOutbox(String(invocation.options['socket']));
  const backends = chosen(seen, invocation.arguments[0]);
  const problems = backends.flatMap(problemsOf);
  const good = problems.length === 0;
  if (!invocation.json) for (const backend of backends) printOutbox(terminal, backend);
  else if (good) printData(terminal, invocation, { backends });
  else printProblems(terminal, invocation, problems, { backends });
  if (!invocation.json && backends.length === 0) terminal.out('no back-end is configured');
  return good ? EXIT.ok : EXIT.notGood;
};

/** Errors: `unknown-reference`. */
function chosen({ backends }: OutboxStatus, name: string | undefined): readonly BackendOutbox[] {
  const found = backends.filter((backend) => name === undefined || backend.name === name);
  if (name === undefined || found.length > 0) return found;
  const names = backends.map((backend) => backend.name).join(', ');
  throw new OperatingError('unknown-reference', `there is no back-end ${name}`, {
    hint: names === '' ? 'none is configured' : `there are: ${names}`,
  });
}

function problemsOf(outbox: BackendOutbox): readonly object[] {
  const { name, quarantined, quarantinedOmitted } = outbox;
  const listed = quarantined.map(({ id, code, message }) => {
    return { code, message, where: `back-end ${name}, entry ${id}` };
  });
  const message = `${quarantinedOmitted} more entries are set aside than are listed`;
  const more = { code: 'quarantined', message, where: `back-end ${name}` };
  return quarantinedOmitted > 0 ? [...listed, more] : listed;
}
