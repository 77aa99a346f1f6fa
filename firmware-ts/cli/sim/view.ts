import type { ConnectionEvent } from '#protocol/connection.ts';
import type { DlmsServerMessage } from '#protocol/dlms/server/server.ts';
import type { LockStepMessage } from '#protocol/lock-step.ts';
import type { MeterDescription } from '#sim/cosem/read-description.ts';
import type { ServedTold } from '#sim/cosem/serve.ts';
import type { PushTold } from '#sim/cosem/tcp-push.ts';
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

/** What happens at a simulated device, a line each; `saidIn` tells what is worth telling of it. */
export function printTold<Message>(
  terminal: Terminal,
  { json }: Pick<Invocation, 'json'>,
  { told, reachedBy, saidIn }: Happened<Message>,
): void {
  if (told.kind === 'listening' && !json) terminal.out();
  const line = json ? jsonOf(told, saidIn) : textOf(told, reachedBy, saidIn);
  if (line !== undefined) terminal.out(line);
}

/** A push that went, or did not. */
export function printPush(
  terminal: Terminal,
  { json }: Pick<Invocation, 'json'>,
  told: PushTold,
): void {
  const { kind, reason } = told;
  if (json) terminal.out(jsonLine(told));
  else if (kind === 'pushed') terminal.out(`pushed to ${told.to}: ${reason}`);
  else terminal.out(`not pushed: ${reason}, ${told.failure.code}, ${told.failure.message}`);
}

export interface Happened<Message> {
  readonly told: ServedTold<Message>;
  readonly reachedBy: (port: number) => string;
  readonly saidIn: SaidIn<Message>;
}

export type SaidIn<Message> = (event: ConnectionEvent<Message>) => Said | undefined;

export interface Said {
  readonly kind: string;
  readonly why: string;
}

function textOf<Message>(
  told: ServedTold<Message>,
  reachedBy: (port: number) => string,
  saidIn: SaidIn<Message>,
): string | undefined {
  switch (told.kind) {
    case 'listening':
      return `it listens: normctl meter objects ${reachedBy(told.port)}`;
    case 'waiting':
      return `waiting: ${told.failure.code}, ${told.failure.message}`;
    case 'came':
    case 'went':
      return `${told.peer} ${told.kind}`;
    case 'said': {
      const said = saidIn(told.event);
      return said === undefined ? undefined : `${told.peer} ${said.kind} ${said.why}`.trimEnd();
    }
  }
}

function jsonOf<Message>(told: ServedTold<Message>, saidIn: SaidIn<Message>): string | undefined {
  if (told.kind !== 'said') return jsonLine(told);
  const said = saidIn(told.event);
  return said === undefined ? undefined : jsonLine({ peer: told.peer, ...said });
}

/** What is meant for another client is told by the servers of all others: it is no event. */
export function saidByMeter(event: ConnectionEvent<DlmsServerMessage>): Said | undefined {
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

/** How a recorded conversation goes on. */
export function saidInLockStep(event: ConnectionEvent<LockStepMessage>): Said {
  if (event.kind !== 'message') return { kind: event.kind, why: event.failure.code };
  const { message } = event;
  if (message.kind === 'over') return { kind: 'over', why: '' };
  const turn = `turn ${message.turn + 1}, ${message.length} octets`;
  if (message.kind === 'said') return { kind: 'said', why: turn };
  const { differsAt } = message;
  const judged = differsAt === undefined ? 'as recorded' : `differs at octet ${differsAt}`;
  return { kind: 'heard', why: `${turn}, ${judged}` };
}
