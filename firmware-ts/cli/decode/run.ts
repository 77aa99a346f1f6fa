import { OperatingError } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import type { Adapter, DecodeContext } from './adapter.ts';
import { placed } from './line.ts';
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
  if (lost !== undefined) yield { ...lossLine(adapter.protocol, lost), ...origin };
}

/** Protocols speak to whoever configures a daemon or asks a device; here it is only decoded. */
function advised(line: DecodedLine): DecodedLine {
  const { error } = line;
  const hint = error === undefined ? undefined : HINTS.get(`${error.code} ${error.field ?? ''}`);
  return error === undefined || hint === undefined ? line : { ...line, error: { ...error, hint } };
}

const HINTS: ReadonlyMap<string, string> = new Map([
  [
    'key-missing encryption-key',
    'give the key of this meter: --key @FILE, --key HEX, or NORMD_KEY',
  ],
  ['key-missing broadcast-key', 'it is for many meters at once, and their common key is not known'],
  ['key-missing dedicated-key', 'its key was agreed upon at the start of the session and is gone'],
  [
    'wrong-key encryption-key',
    'compare what --key gives with the encryption key for this meter number',
  ],
  [
    'wrong-authentication-key authentication-key',
    'the key of --key fits, that of --auth-key does not: correct it, or leave it out',
  ],
  [
    'bad-tag authentication-tag',
    'the keys have fitted before in this input: the message was damaged or its sender is another',
  ],
  [
    'replayed invocation-counter',
    'it stands twice in this input, or the capture is not in the order of time',
  ],
  [
    'no-configuration ',
    'decode it together with the CFG frame of this IDCODE, as one file or capture',
  ],
  [
    'data-does-not-fit FRAMESIZE',
    'the CFG frame in this input is of another device, or of before it was set up anew',
  ],
]);

/** Its offset counts in the file. */
function cutLine(failure: Failure, stream: string | undefined): DecodedLine {
  const error = placed(failure, 0);
  return { protocol: 'pcap', offset: error.offset, length: 0, ok: false, error, stream };
}

function lossLine(
  protocol: string,
  { count, offset }: NonNullable<InputStream['lost']>,
): DecodedLine {
  const message = `${count} bytes of this stream are not in the capture, the first before byte`;
  const error = { code: 'capture-gap', message: `${message} ${offset}`, offset };
  return { protocol, offset, length: 0, ok: false, error };
}

const NAMES = ADAPTERS.map(({ name }) => name);

/** Errors: `usage` with all the names. */
export function adapterNamed(name: string): Adapter {
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
