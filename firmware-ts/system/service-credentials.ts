import { dirname, join } from 'node:path';
import { OperatingError } from '#bytes/failure.ts';

/** A name that systemd takes (systemd.exec(5), LoadCredential=), and that leads nowhere else. */
const FORM = /^credential:(?!\.{1,2}$)([A-Za-z0-9_.-]{1,255})$/;

/**
 * Where a secret file is: `credential:NAME` is one that the service manager gave this service, in
 * `$CREDENTIALS_DIRECTORY`; anything else is a path. Errors: `missing-file` where it gave none,
 * `usage` for a name that is none.
 */
export function secretPath(written: string): string {
  if (!written.startsWith('credential:')) return written;
  const name = FORM.exec(written)?.[1];
  if (name === undefined) {
    throw new OperatingError('usage', `${JSON.stringify(written)} names no credential`, {
      hint: 'write credential:NAME, with letters, digits, dots, _ and -',
    });
  }
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  if (folder !== undefined) return join(folder, name);
  throw new OperatingError('missing-file', `no credential ${name}: nobody gave this process any`, {
    hint: `start it by a systemd unit with ${loading(name)}, or name a file`,
  });
}

/** Whether it is one of this service's own: their folder is its alone, whatever their modes say. */
export function isCredential(path: string): boolean {
  return dirname(path) === process.env['CREDENTIALS_DIRECTORY'];
}

/** What a unit says to give a service this credential. */
export function loading(name: string): string {
  return `LoadCredentialEncrypted=${name}:FILE or LoadCredential=${name}:FILE`;
}
