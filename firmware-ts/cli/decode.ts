import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Invocation, Verb } from './command.ts';
import { readInput } from './decode/input.ts';
import { keysFrom } from './decode/keys.ts';
import { adapterNamed, decodeStreams } from './decode/run.ts';
import { printDecoded } from './decode/view.ts';
import type { InputStream } from './decode/streams.ts';
import { EXIT } from './exit-codes.ts';
import { jsonLine, reportFailure } from './report.ts';

/** `normctl decode FILE|HEX|-` */
export const decode: Verb = async (invocation, terminal) => {
  const as = word(invocation, 'as');
  if (as !== undefined) adapterNamed(as); // told before anything is read
  const keys = keysFrom(
    { key: word(invocation, 'key'), authKey: word(invocation, 'authKey') },
    process.env,
  );
  let streams: readonly InputStream[];
  try {
    streams = await readInput(invocation.arguments[0] ?? '', process.stdin);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return reportFailure(terminal, invocation, failureOf(error), EXIT.unreadable);
  }
  let good = true;
  for (const line of decodeStreams(streams, { keys, ...(as === undefined ? {} : { as }) })) {
    good &&= line.ok;
    if (invocation.json) terminal.out(jsonLine(line));
    else printDecoded(terminal, line, word(invocation, 'country'));
    await terminal.drained();
  }
  return good ? EXIT.ok : EXIT.notGood;
};

function word({ options }: Invocation, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
