import { failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Invocation } from './command.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Version of what `--json` prints; a field may be added to it, none changes its meaning. */
const ENVELOPE_VERSION = 1;

/** Something wrong, as people read it: what, where, and what to try. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
  /** Several lines where there are several places. */
  readonly where?: string;
  readonly hint?: string;
}

export function printTrouble(terminal: Terminal, { code, message, where, hint }: Trouble): void {
  terminal.err(`error ${code}: ${message}`);
  if (where !== undefined) terminal.err(`  where: ${where}`);
  if (hint !== undefined) terminal.err(`  try: ${hint}`);
}

export function troubleOf(failure: Failure): Trouble {
  const { code, message, path, offset, field, hint } = failure;
  const places = [
    path,
    offset === undefined ? undefined : `byte ${offset}`,
    field === undefined ? undefined : `field ${field}`,
  ].filter((place) => place !== undefined);
  return {
    code,
    message,
    ...(places.length === 0 ? {} : { where: places.join(', ') }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** The envelope of a verb's result. */
export function printData(terminal: Terminal, invocation: Invocation, data: unknown): void {
  terminal.out(jsonLine({ normctl: ENVELOPE_VERSION, verb: invocation.verb, ok: true, data }));
}

/** The envelope of a result that is not good; `data` where there is a result beside. */
export function printProblems(
  terminal: Terminal,
  invocation: Invocation,
  problems: readonly object[],
  data?: unknown,
): void {
  const { verb } = invocation;
  const rest = data === undefined ? {} : { data };
  terminal.out(jsonLine({ normctl: ENVELOPE_VERSION, verb, ok: false, problems, ...rest }));
}

/** A verb could not do its work: says so in the form asked for; `otherwise` for codes unlisted. */
export function reportFailure(
  terminal: Terminal,
  invocation: Invocation,
  failure: Failure,
  otherwise: ExitCode = EXIT.unexpected,
): ExitCode {
  if (invocation.json) printProblems(terminal, invocation, [failure]);
  else printTrouble(terminal, troubleOf(failure));
  return EXIT_OF_CODE.get(failure.code) ?? otherwise;
}

export function reportError(terminal: Terminal, invocation: Invocation, error: unknown): ExitCode {
  return reportFailure(terminal, invocation, failureOf(error));
}

const EXIT_OF_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ['usage', EXIT.usage],
  ['bad-key', EXIT.usage],
  ['bad-key-file', EXIT.usage],
  ['file-too-open', EXIT.usage],
  ['file-too-long', EXIT.usage],
  ['unwritable-file', EXIT.usage],
  ['confirmation-needed', EXIT.usage],
  ['unknown-reference', EXIT.usage],
  ['unknown-entry', EXIT.notGood],
  ['not-confirmed', EXIT.notGood],
  ['missing-file', EXIT.unreadable],
  ['unreadable-file', EXIT.unreadable],
  ['too-large', EXIT.unreadable],
  ['empty-input', EXIT.unreadable],
  ['not-recognised', EXIT.unreadable],
  ['daemon-not-running', EXIT.unreachable],
  ['permission-denied', EXIT.unreachable],
  ['control-timeout', EXIT.unreachable],
  ['bad-answer', EXIT.unreachable],
  ['no-answer', EXIT.unreachable],
  ['no-bytes', EXIT.unreachable],
  ['only-echo', EXIT.unreachable],
  ['garbled-line', EXIT.unreachable],
  ['damaged-frames', EXIT.unreachable],
  ['connection-lost', EXIT.unreachable],
  ['connection-closed', EXIT.unreachable],
  ['connection-refused', EXIT.unreachable],
  ['timed-out', EXIT.unreachable],
  ['unreachable', EXIT.unreachable],
  ['bad-obis', EXIT.usage],
  ['bad-value', EXIT.usage],
  ['unknown-time-zone', EXIT.usage],
  ['no-such-port', EXIT.unreachable],
  ['port-busy', EXIT.unreachable],
  ['port-vanished', EXIT.unreachable],
  ['not-a-serial-port', EXIT.usage],
]);

/** One line of JSON in ASCII; escapes keep every character. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
