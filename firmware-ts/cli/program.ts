import { Command as Program, CommanderError, Option } from 'commander';
import type { Command, Invocation } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, EXIT_MEANINGS } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { printTrouble, reportError } from './report.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line (without `node` and the script) and returns its exit status. */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const program = programOf(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exitCode;
}

type Done = (code: ExitCode) => void;

function programOf(terminal: Terminal, done: Done): Program {
  const program = configured(new Program('normctl'), terminal)
    .description('Looks after normd, the edge runtime for smart meters and PMUs.')
    .helpCommand('help [verb]', 'show the help of a verb')
    .addHelpText('after', `\n${exitHelp()}`);
  const groups = new Map<string, Program>();
  for (const command of COMMANDS) {
    const [last = '', ...before] = command.verb.split(' ').reverse();
    const parent = before.length === 0 ? program : groupOf(program, before, groups, terminal);
    addCommand(configured(parent.command(last), terminal), command, terminal, done);
  }
  return program;
}

function groupOf(
  program: Program,
  [name = '']: readonly string[],
  groups: Map<string, Program>,
  terminal: Terminal,
): Program {
  const known = groups.get(name);
  if (known !== undefined) return known;
  const verbs = COMMANDS.filter(({ verb }) => verb.startsWith(`${name} `));
  const group = configured(program.command(name), terminal).description(
    verbs.map(({ verb }) => verb).join(', '),
  );
  groups.set(name, group);
  return group;
}

function exitHelp(): string {
  const lines = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return ['Exit status:', ...lines].join('\n');
}

function configured(program: Program, terminal: Terminal): Program {
  return program
    .exitOverride()
    .helpOption('-h, --help', 'show this help')
    .configureOutput({
      writeOut: (text) => eachLine(text, (line) => terminal.out(line)),
      writeErr: (text) => eachLine(text, (line) => terminal.err(line)),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text) => {
        const message = text
          .replace(/^error: /, '')
          .trim()
          .replaceAll('\n', ' ');
        const hint = 'normctl --help, or normctl help VERB';
        printTrouble(terminal, { code: 'usage', message, hint });
      },
    });
}

function eachLine(text: string, print: (line: string) => void): void {
  for (const line of text.replace(/\n$/, '').split('\n')) print(line);
}

function addCommand(program: Program, command: Command, terminal: Terminal, done: Done): void {
  program.description(command.summary);
  for (const { name, description, optional } of command.arguments) {
    program.argument(optional === true ? `[${name}]` : `<${name}>`, description);
  }
  for (const option of command.options) {
    const made = new Option(option.flags, option.description);
    if (option.default !== undefined) made.default(option.default);
    if (option.choices !== undefined) made.choices(option.choices);
    program.addOption(made);
  }
  program.option('--json', command.jsonLines ?? 'print JSON, a versioned envelope, for programs');
  if (command.details !== undefined) program.addHelpText('after', `\n${command.details}`);
  program.action(async () => done(await run(command, program, terminal)));
}

async function run(command: Command, program: Program, terminal: Terminal): Promise<ExitCode> {
  const options: Record<string, string | boolean | undefined> = program.opts();
  const invocation: Invocation = {
    verb: command.verb,
    arguments: program.args,
    options,
    json: options['json'] === true,
  };
  try {
    const verb = await command.load();
    return await verb(invocation, terminal);
  } catch (error) {
    return reportError(terminal, invocation, error);
  }
}
