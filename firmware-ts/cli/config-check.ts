import { loadConfiguration } from '#config/load.ts';
import type { Problem } from '#config/problem.ts';
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printData, printProblems, printTrouble } from './report.ts';

/** `normctl config check FILE` */
export const configCheck: Verb = (invocation, terminal) => {
  const [file = ''] = invocation.arguments;
  const loaded = loadConfiguration(file);
  if ('problems' in loaded) {
    const { problems } = loaded;
    if (invocation.json) printProblems(terminal, invocation, problems);
    else for (const problem of problems) printTrouble(terminal, troubleOf(problem));
    const unreadable = problems[0].code === 'unreadable-file';
    return Promise.resolve(unreadable ? EXIT.unreadable : EXIT.notGood);
  }
  const { gateway, sources, backends, policy } = loaded.configuration;
  const counts = { sources: sources.length, backends: backends.length, rules: policy.length };
  if (invocation.json) printData(terminal, invocation, { file, gateway, ...counts });
  else {
    const parts = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
    terminal.out({ style: 'good', text: 'good' }, `: ${file} (${gateway}: ${parts.join(', ')})`);
  }
  return Promise.resolve(EXIT.ok);
};

function troubleOf(problem: Problem): Parameters<typeof printTrouble>[1] {
  const { code, message, file, line, column, path, hint, allowed } = problem;
  const where = `${file}:${line}:${column}${path === '' ? '' : ` ${path}`}`;
  const choices = allowed === undefined ? '' : ` (allowed: ${allowed.join(', ')})`;
  const listed = hint.startsWith('write one of') || hint.startsWith('add ') ? '' : choices;
  return { code, message, where, hint: `${hint}${listed}` };
}
