import { OperatingError } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import type { Adapter, DecodeContext } from './adapter.ts';
import { placed } from './line.ts';
import type { DecodedLine } from './line.ts';
import { withMasks } from './masked.ts';
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
  const sides = known.map(({ stream, adapter }) => {
    return { stream, lines: streamLines(stream, adapter, context) };
  });
  const conversation = streams.every(({ name }) => name === 'tx' || name === 'rx');
  if (conversation) yield* inTurn(sides);
  else for (const { lines } of sides) yield* lines;
  for (const { cut, name } of streams) if (cut !== undefined) yield cutLine(cut, name);
}

interface Side {
  readonly stream: InputStream;
  readonly lines: Generator<DecodedLine>;
}

/** Lines of both sides of a conversation in the order of time, each once its bytes were there. */
function* inTurn(sides: readonly Side[]): Generator<DecodedLine> {
  const timed = sides.map(timedLines);
  const waiting = timed.map((lines) => lines.next().value);
  for (;;) {
    const times = waiting.map((next) => next?.atMs ?? Infinity);
    const first = times.indexOf(Math.min(...times));
    const next = waiting[first];
    if (next === undefined) return;
    yield next.line;
    waiting[first] = timed[first]?.next().value;
  }
}

interface TimedLine {
  readonly line: DecodedLine;
  /** When the last byte of it was said. */
  readonly atMs: number;
}

function* timedLines({ stream, lines }: Side): Generator<TimedLine, undefined> {
  const { chunks, times = [] } = stream;
  let chunk = 0;
  let end = chunks[0]?.length ?? 0;
  for (const line of lines) {
    while (end < line.offset + line.length && chunk < chunks.length) {
      chunk += 1;
      end += chunks[chunk]?.length ?? 0;
    }
    yield { line, atMs: times[chunk] ?? Number.MAX_VALUE };
  }
  return undefined;
}

function* streamLines(
  { name, chunks, lost, masked = [] }: InputStream,
  adapter: Adapter,
  context: DecodeContext,
): Generator<DecodedLine> {
  const origin = name === undefined ? {} : { stream: name };
  for (const line of withMasks(adapter.decode(chunks, context), masked)) {
    yield { ...advised(line), ...origin };
  }
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
