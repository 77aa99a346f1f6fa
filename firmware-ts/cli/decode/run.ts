import { OperatingError, type Failure } from '#bytes/failure.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import type { Adapter, DecodeContext } from './adapter.ts';
import type { DecodedLine } from './line.ts';
import { ADAPTERS, recognise } from './recognise.ts';
import type { InputStream } from './streams.ts';

export interface DecodeOptions {
  readonly keys: CipherKeys;
  /** Name of an adapter, instead of finding out. */
  readonly as?: string;
}

/**
 * The lines of all streams, one stream after the other. Streams of a capture that are nothing of
 * ours are left out. Errors: `not-recognised` if all are; `usage` for a name that is not known.
 */
export function* decodeStreams(
  streams: readonly InputStream[],
  { keys, as }: DecodeOptions,
): Generator<DecodedLine> {
  const context: DecodeContext = { keys, layouts: new Map() };
  const named = as === undefined ? undefined : adapterNamed(as);
  // All are looked at first: one may bring the configuration that another one's data need.
  const known = streams.flatMap((stream) => {
    if (stream.chunks.length === 0) return [];
    const adapter = named ?? recognise(stream.chunks, context);
    return adapter === undefined ? [] : [{ stream, adapter }];
  });
  if (known.length === 0) throw notRecognised();
  for (const { stream, adapter } of known) yield* streamLines(stream, adapter, context);
  for (const { cut, name } of streams) if (cut !== undefined) yield cutLine(cut, name);
}

function* streamLines(
  { name, chunks, lost }: InputStream,
  adapter: Adapter,
  context: DecodeContext,
): Generator<DecodedLine> {
  const origin = name === undefined ? {} : { stream: name };
  for (const line of adapter.decode(chunks, context)) yield { ...advised(line), ...origin };
  if (lost > 0) yield { ...lossLine(adapter.protocol, lost), ...origin };
}

/** Protocols speak to whoever configures a daemon; here a key is given otherwise. */
function advised(line: DecodedLine): DecodedLine {
  if (line.error?.code !== 'key-missing') return line;
  const hint = 'give the key of this meter: --key @FILE, --key HEX, or NORMD_KEY';
  return { ...line, error: { ...line.error, hint } };
}

function cutLine(error: Failure, stream: string | undefined): DecodedLine {
  return { protocol: 'pcap', offset: error.offset ?? 0, length: 0, ok: false, error, stream };
}

function lossLine(protocol: string, lost: number): DecodedLine {
  const message = `${lost} bytes of this stream are not in the capture`;
  return { protocol, offset: 0, length: 0, ok: false, error: { code: 'capture-gap', message } };
}

const NAMES = ADAPTERS.map(({ name }) => name);

function adapterNamed(name: string): Adapter {
  const adapter = ADAPTERS.find((candidate) => candidate.name === name);
  if (adapter !== undefined) return adapter;
  throw new OperatingError('usage', `${name} is no protocol that can be decoded`, {
    hint: `--as ${NAMES.join(' | ')}`,
  });
}

function notRecognised(): OperatingError {
  return new OperatingError('not-recognised', 'nothing in these bytes is known', {
    hint: `if you know what it is: --as ${NAMES.join(' | ')}`,
  });
}
