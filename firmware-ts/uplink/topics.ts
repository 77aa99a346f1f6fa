import { OperatingError } from '#bytes/failure.ts';
import { NAME } from '#reading/senml-names.ts';

/** Topics of one gateway; names are checked, so that none can add a level or a wildcard. */
export interface Topics {
  readonly state: string;
  readonly manifest: string;
  readonly events: string;
  readonly receipts: string;
  up(stream: string): string;
  live(stream: string): string;
}

/** Errors: `bad-name` when a gateway's or a stream's name has another form. */
export function topicsOf(gateway: string): Topics {
  const root = `nd/1/${checkedName(gateway, 'gateway')}`;
  return {
    state: `${root}/st`,
    manifest: `${root}/mf`,
    events: `${root}/ev`,
    receipts: `${root}/rc`,
    up: (stream) => `${root}/up/${checkedName(stream, 'stream')}`,
    live: (stream) => `${root}/lv/${checkedName(stream, 'stream')}`,
  };
}

const FORM = new RegExp(NAME);

function checkedName(name: string, field: string): string {
  if (FORM.test(name)) return name;
  throw new OperatingError('bad-name', `${JSON.stringify(name)} is no name for a topic`, {
    field,
    hint: 'Use at most 64 letters, digits, _ and -, the first a letter or digit.',
  });
}
