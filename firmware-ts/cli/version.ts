import manifest from '../../package.json' with { type: 'json' };
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printData } from './report.ts';

/** `normctl version` */
export const version: Verb = (invocation, terminal) => {
  const { node, openssl } = process.versions;
  const versions = { normd: manifest.version, node, openssl };
  if (invocation.json) printData(terminal, invocation, versions);
  else for (const [part, number] of Object.entries(versions)) terminal.out(`${part} ${number}`);
  return Promise.resolve(EXIT.ok);
};
