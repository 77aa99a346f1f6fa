import { editorSchema } from '#config/json-schema.ts';
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printData } from './report.ts';

/** `normctl config schema`: the bare schema, as editors take it; with `--json` in the envelope. */
export const configSchema: Verb = (invocation, terminal) => {
  const schema = editorSchema();
  if (invocation.json) printData(terminal, invocation, schema);
  else for (const line of JSON.stringify(schema, null, 2).split('\n')) terminal.out(line);
  return Promise.resolve(EXIT.ok);
};
