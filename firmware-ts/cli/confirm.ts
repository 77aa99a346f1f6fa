import { OperatingError } from '#bytes/failure.ts';
import type { Invocation } from './command.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks before what cannot be undone; `--yes` has answered. Errors: `confirmation-needed` where
 * nobody can be asked, `not-confirmed` for any other answer than yes.
 */
export async function confirm(
  question: string,
  { options }: Invocation,
  terminal: Terminal,
): Promise<void> {
  if (options['yes'] === true) return;
  const answer = options['input'] === false ? undefined : await terminal.ask(`${question} [y/N]`);
  if (answer === undefined) {
    const message = 'it cannot be undone, and nobody was asked';
    throw new OperatingError('confirmation-needed', message, { hint: 'add --yes' });
  }
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new OperatingError('not-confirmed', 'nothing was done');
  }
}
