import type { MeterDescription } from '#sim/cosem/read-description.ts';
import type { MeterTold } from '#sim/cosem/serve-meter.ts';
import type { Invocation } from '../command.ts';
import { jsonLine } from '../report.ts';
import { printTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

/** Who may ask this meter, and how; no key and no password. */
export function printMeter(
  terminal: Terminal,
  { json }: Pick<Invocation, 'json'>,
  { name, logical, associations }: MeterDescription,
): void {
  const clients = associations.map(({ client, mechanism, encryption, rights }) => ({
    client,
    mechanism,
    ciphered: encryption !== undefined,
    rights,
  }));
  if (json) {
    terminal.out(jsonLine({ name, logical, clients }));
    return;
  }
  terminal.out(`${name}, logical device ${logical}; Ctrl-C ends it`);
  printTable(
    terminal,
    [
      { title: 'client', align: 'right' },
      { title: 'mechanism' },
      { title: 'services' },
      { title: 'may' },
    ],
    clients.map(({ client, mechanism, ciphered, rights }) => [
      String(client),
      mechanism,
      ciphered ? 'ciphered' : 'in clear',
      rights === 'all' ? 'read and change' : 'read',
    ]),
  );
}

/** What happens, a line each. */
export function printTold(
  terminal: Terminal,
  { json }: Pick<Invocation, 'json'>,
  told: MeterTold,
  reachedBy: (port: number) => string,
): void {
  if (told.kind === 'listening' && !json) terminal.out();
  const line = json ? jsonOf(told) : textOf(told, reachedBy);
  if (line !== undefined) terminal.out(line);
}

function textOf(told: MeterTold, reachedBy: (port: number) => string): string | undefined {
  switch (told.kind) {
    case 'listening':
      return `it listens: normctl meter objects ${reachedBy(told.port)}`;
    case 'waiting':
      return `waiting: ${told.failure.code}, ${told.failure.message}`;
    case 'came':
    case 'went':
      return `${told.peer} ${told.kind}`;
    case 'said': {
      const said = saidIn(told);
      return said === undefined ? undefined : `${told.peer} ${said.kind} ${said.why}`.trimEnd();
    }
  }
}

function jsonOf(told: MeterTold): string | undefined {
  if (told.kind !== 'said') return jsonLine(told);
  const said = saidIn(told);
  return said === undefined ? undefined : jsonLine({ peer: told.peer, ...said });
}

/** What is meant for another client is told by the servers of all others: it is no event. */
function saidIn({
  event,
}: Extract<MeterTold, { kind: 'said' }>):
  { readonly kind: string; readonly why: string } | undefined {
  switch (event.kind) {
    case 'message': {
      const { message } = event;
      return { kind: message.kind, why: 'failure' in message ? message.failure.code : '' };
    }
    case 'discarded': {
      const { code } = event.failure;
      return code === 'wrong-address' ? undefined : { kind: 'discarded', why: code };
    }
    case 'stalled':
      return { kind: 'stalled', why: event.failure.code };
  }
}
