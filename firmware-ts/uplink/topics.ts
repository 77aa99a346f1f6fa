import { OperatingError } from '#bytes/failure.ts';

/** Topics of one gateway; names are checked, so that none can add a level or a wildcard. */
export interface Topics {
  readonly state: string;
  up(stream: string): string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Errors: `bad-name` when a gateway's or a stream's name has another form. SenML wants the first
 * character so (RFC 8428, 4.5.1).
 */
export function topicsOf(gateway: string): Topics {
  const root = `nd/1/${checkedName(gateway, 'gateway')}`;
  return { state: `${root}/st`, up: (stream) => `${root}/up/${checkedName(stream, 'stream')}` };
}

function checkedName(name: string, field: string): string {
  if (NAME.test(name)) return name;
  throw new OperatingError('bad-name', `${JSON.stringify(name)} is no name for a topic`, {
    field,
    hint: 'Use at most 64 letters, digits, _ and -, the first a letter or digit.',
  });
}
