import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { NAME } from '#reading/senml-names.ts';
import { readJson } from './json-fields.ts';
import type { JsonFields } from './json-fields.ts';

/**
 * What a gateway says it owes no more (`nd/1/{gateway}/mf`). From one manifest to the next a
 * receiver proves that nothing is missing; what a manifest does not name, it does not change.
 */
export interface Manifest {
  readonly version: 1;
  readonly gateway: string;
  /** RFC 3339, of the gateway's clock. */
  readonly at: string;
  /** Counts up by one from manifest to manifest. */
  readonly number: number;
  /** Of a stream with several epochs there are several. Others may be in the manifests around. */
  readonly streams: readonly StreamState[];
  /** Gaps that did not fit; earlier manifests named them. */
  readonly gapsOmitted?: number;
}

export interface StreamState {
  readonly stream: string;
  readonly class: DeliveryClass;
  readonly epoch: number;
  /** The last number up to which each one is delivered or named in a gap; -1 if there is none. */
  readonly through: number;
  /**
   * The chain at `through` (`chain.ts`), in lower-case hex; absent where it is not known: the
   * store was damaged, or the epoch began before there were chains.
   */
  readonly chain?: string;
  /** The number that the next observation will have. */
  readonly next: number;
  /** In order, apart from one another; they may lie beyond `through`. */
  readonly gaps: readonly Gap[];
  /**
   * Gaps that no manifest has named yet and that did not fit: the next manifests name them. Until
   * then nobody can tell what of the stream is missing.
   */
  readonly gapsToCome?: number;
}

/** Observations `from … through` will never come. */
export interface Gap {
  readonly from: number;
  readonly through: number;
  readonly reason: GapReason;
  /** RFC 3339: when it was named; absent if the clock was not believed then. */
  readonly at?: string;
}

export const GAP_REASONS = [
  'disk-full',
  'age', // it had waited longer than the back-end's outbox keeps it
  'bytes', // the back-end's outbox was full
  'quarantined', // the broker refuses it for what it is
  'store-damaged', // the file was, and it could not be read from it
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/** As large as a pack may be. */
export const MANIFEST_BYTES_MAX = 1 << 20;
/** Of a house with tens of sources, each with a stream a class and a few epochs, many times all. */
export const MANIFEST_STREAMS_MAX = 4096;
/** Of a stream, in one manifest; the next ones name the others. */
export const MANIFEST_GAPS_MAX = 256;

/** As JSON: the same keys in the same order whoever made the object. */
export function encodeManifest({ gateway, at, number, streams, gapsOmitted }: Manifest): string {
  const omitted = gapsOmitted === undefined ? {} : { gapsOmitted };
  return JSON.stringify({
    version: 1,
    gateway,
    at,
    number,
    streams: streams.map(written),
    ...omitted,
  });
}

function written({ class: priority, chain, gapsToCome, ...state }: StreamState): StreamState {
  const { stream, epoch, through, next, gaps } = state;
  const known = chain === undefined ? {} : { chain };
  const left = gapsToCome === undefined ? {} : { gapsToCome };
  const named = gaps.map(gapOf);
  return { stream, class: priority, epoch, through, ...known, next, gaps: named, ...left };
}

function gapOf({ from, through, reason, at }: Gap): Gap {
  return { from, through, reason, ...(at === undefined ? {} : { at }) };
}

const NAMED = new RegExp(NAME);
const CHAIN = /^[0-9a-f]{64}$/;
/** RFC 3339, 5.6. */
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/**
 * Reads a manifest from hostile bytes. Errors: `too-large`; `bad-manifest` with the field, e.g.
 * `streams[2].gaps[0].from`.
 */
export function decodeManifest(payload: Uint8Array): Manifest {
  const fields = readJson(payload, 'bad-manifest', MANIFEST_BYTES_MAX);
  fields.version(1);
  const streams = fields.objects('streams', MANIFEST_STREAMS_MAX).map(streamFrom);
  const keys = new Set(streams.map(({ stream, epoch }) => `${stream} ${epoch}`));
  if (keys.size < streams.length) fields.refuse('streams', 'one stream and epoch twice');
  return {
    version: 1,
    gateway: fields.text('gateway', NAMED),
    at: fields.text('at', RFC3339),
    number: fields.integer('number'),
    streams,
    ...(fields.has('gapsOmitted') ? { gapsOmitted: fields.integer('gapsOmitted') } : {}),
  };
}

function streamFrom(fields: JsonFields): StreamState {
  const next = fields.integer('next');
  const through = fields.integer('through', -1);
  if (through >= next) fields.refuse('through', 'not below next');
  return {
    stream: fields.text('stream', NAMED),
    class: fields.word('class', DELIVERY_CLASSES),
    epoch: fields.integer('epoch'),
    through,
    ...(fields.has('chain') ? { chain: fields.text('chain', CHAIN) } : {}),
    next,
    gaps: gapsFrom(fields, next),
    ...(fields.has('gapsToCome') ? { gapsToCome: fields.integer('gapsToCome') } : {}),
  };
}

function gapsFrom(fields: JsonFields, next: number): readonly Gap[] {
  let least = 0;
  return fields.objects('gaps', MANIFEST_GAPS_MAX).map((gap) => {
    const from = gap.integer('from', least);
    const through = gap.integer('through', from);
    if (through >= next) gap.refuse('through', 'not below next');
    least = through + 1;
    return {
      from,
      through,
      reason: gap.word('reason', GAP_REASONS),
      ...(gap.has('at') ? { at: gap.text('at', RFC3339) } : {}),
    };
  });
}
