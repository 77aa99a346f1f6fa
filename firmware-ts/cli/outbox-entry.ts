import { OperatingError } from '#bytes/failure.ts';
import type { EntryName } from '#control/client.ts';
import { NAME } from '#reading/senml-names.ts';

const LEGAL = new RegExp(NAME);

/** The entry that `BACKEND ID` on a command line names. Errors: `usage`. */
export function entryNamed([backend = '', word = '']: readonly string[]): EntryName {
  const id = Number(word);
  if (!LEGAL.test(backend)) refuse(`${backend} is no name of a back-end`);
  if (!/^[0-9]+$/.test(word) || !Number.isSafeInteger(id)) refuse(`${word} is no id of an entry`);
  return { backend, id };
}

function refuse(message: string): never {
  throw new OperatingError('usage', message, { hint: 'normctl outbox list tells names and ids' });
}

/** `7`, or `7-9` for three. */
export function numbersText(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}
