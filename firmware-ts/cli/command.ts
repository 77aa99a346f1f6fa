import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** One row of the command table: all that help, completion and manual pages need to know. */
export interface Command {
  /** The words after `normctl`, e.g. `config check`. */
  readonly verb: string;
  readonly summary: string;
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
  /** What `--json` prints, where it is no envelope. */
  readonly jsonLines?: string;
  /** What the help says beyond arguments and options. */
  readonly details?: string;
  /** Brings the verb's own file in only when it runs: help must not wait for codecs. */
  readonly load: () => Promise<Verb>;
}

export interface Argument {
  readonly name: string;
  readonly description: string;
  /** It may be left out. */
  readonly optional?: true;
}

export interface Option {
  /** As commander writes them: `--key <hex|@file>`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
  readonly choices?: readonly string[];
}

export type Verb = (invocation: Invocation, terminal: Terminal) => Promise<ExitCode>;

export interface Invocation {
  readonly verb: string;
  readonly arguments: readonly string[];
  /** By long name in camel case; a flag without a value is `true`, `--no-input` makes it false. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly json: boolean;
}
