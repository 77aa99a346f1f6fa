import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { bytesFromUtf8 } from '#bytes/text.ts';
import { encodeManifest, MANIFEST_STREAMS_MAX, type StreamState } from '#contract/manifest.ts';
import type { ListedGap, Standing, StreamStanding, ToldGap } from '#store/store.ts';

/** A manifest on its way. */
export interface Telling {
  readonly text: string;
  /** The gaps it names, to be told to the store when the broker has it. */
  readonly gaps: readonly ToldGap[];
  /** Streams of which it leaves nothing to the next one. */
  readonly done: readonly StreamStanding[];
  /** Those of them that are not in it, since each is too large by itself. */
  readonly unfit: readonly StreamStanding[];
  /** Something was left to the next one. */
  readonly more: boolean;
}

const NO_GAP: ReadonlySet<ListedGap> = new Set();

interface Head {
  readonly gateway: string;
  readonly at: string;
}

/** A manifest of some streams. */
interface Part {
  readonly streams: readonly StreamStanding[];
  readonly named: ReadonlySet<ListedGap>;
  readonly text: string;
}

/**
 * What `standing` says as JSON of at most `bytesMax`, or the first of its streams where not all go
 * in, with every gap of theirs that no manifest has named. Of a single stream the gaps may not go
 * in either: those go first that no manifest has named, the oldest before the others.
 * Errors: `too-large` where no stream goes in, even without gaps.
 */
export function tellingOf(head: Head, standing: Standing, bytesMax: number): Telling {
  const { number, streams } = standing;
  const numbered = { ...head, number };
  const fit = (part: readonly StreamStanding[]) => fitted(numbered, part, bytesMax);
  const whole = streams.length > MANIFEST_STREAMS_MAX ? undefined : fit(streams);
  if (whole !== undefined) return tellingBy(whole, streams, []);
  const bytesAlone = (one: StreamStanding): number => bytesOf(textOf(numbered, [one], NO_GAP));
  const [small, unfit] = parted(streams, (stream) => bytesAlone(stream) <= bytesMax);
  let several = small.slice(0, MANIFEST_STREAMS_MAX);
  while (several.length > 0) {
    const part = fit(several);
    if (part !== undefined) return tellingBy(part, streams, unfit);
    several = several.slice(0, several.length >>> 1);
  }
  throw new OperatingError('too-large', `over ${bytesMax} bytes`);
}

function fitted(
  head: Head & Pick<Standing, 'number'>,
  streams: readonly StreamStanding[],
  bytesMax: number,
): Part | undefined {
  const inTurn = gapsInTurn(streams);
  // Where streams can be left to the next manifest, no gap of those that go in is.
  const least = streams.length > 1 ? inTurn.filter(({ told }) => !told).length : 0;
  for (let most = inTurn.length; ; most = Math.max(least, most >>> 1)) {
    const named = new Set(inTurn.slice(0, most));
    const text = textOf(head, streams, named);
    if (bytesOf(text) <= bytesMax) return { streams, named, text };
    if (most === least) return undefined;
  }
}

function textOf(
  head: Head & Pick<Standing, 'number'>,
  streams: readonly StreamStanding[],
  named: ReadonlySet<ListedGap>,
): string {
  const states = streams.map((stream) => stateOf(stream, named));
  const omitted = streams.reduce((sum, stream) => sum + omittedOf(stream, named), 0);
  const gapsOmitted = omitted === 0 ? {} : { gapsOmitted: omitted };
  return encodeManifest({ version: 1, ...head, streams: states, ...gapsOmitted });
}

function tellingBy(
  { streams, named, text }: Part,
  all: readonly StreamStanding[],
  unfit: readonly StreamStanding[],
): Telling {
  const isNamed = (gap: ListedGap): boolean => named.has(gap) && !gap.told;
  // A stream of which not one gap goes in would be the next one's, too, for ever.
  const isDone = (stream: StreamStanding): boolean =>
    toComeOf(stream, named) === 0 || !stream.gaps.some(isNamed);
  const done = [...streams.filter(isDone), ...unfit];
  const gaps = streams.flatMap(({ stream, epoch, gaps: listed }) =>
    listed.filter(isNamed).map(({ first, last }): ToldGap => ({ stream, epoch, first, last })),
  );
  return { text, gaps, done, unfit, more: done.length < all.length };
}

/** Of all streams: those that were never told, in order, then the others, the newest first. */
function gapsInTurn(streams: readonly StreamStanding[]): readonly ListedGap[] {
  const all = streams.flatMap(({ gaps }) => gaps);
  return [...all.filter(({ told }) => !told), ...all.filter(({ told }) => told).reverse()];
}

function omittedOf({ gaps, gapsOmitted }: StreamStanding, named: ReadonlySet<ListedGap>): number {
  return gapsOmitted + gaps.filter((gap) => gap.told && !named.has(gap)).length;
}

function toComeOf({ gaps, gapsToCome }: StreamStanding, named: ReadonlySet<ListedGap>): number {
  return gapsToCome + gaps.filter((gap) => !gap.told && !named.has(gap)).length;
}

function stateOf(standing: StreamStanding, named: ReadonlySet<ListedGap>): StreamState {
  const { stream, class: of, epoch, through, chain, next, gaps } = standing;
  const gapsToCome = toComeOf(standing, named);
  return {
    stream,
    class: of,
    epoch,
    through,
    ...(chain === undefined ? {} : { chain: toHex(chain) }),
    next,
    gaps: gaps
      .filter((gap) => named.has(gap))
      .map(({ first, last, reason, wallMs }) => ({
        from: first,
        through: last,
        reason,
        ...(wallMs === undefined ? {} : { at: isoOf(wallMs) }),
      })),
    ...(gapsToCome === 0 ? {} : { gapsToCome }),
  };
}

function bytesOf(text: string): number {
  return bytesFromUtf8(text).length;
}

function parted<Item>(
  items: readonly Item[],
  isFirst: (item: Item) => boolean,
): readonly [readonly Item[], readonly Item[]] {
  const first: Item[] = [];
  const second: Item[] = [];
  for (const item of items) (isFirst(item) ? first : second).push(item);
  return [first, second];
}

export function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
