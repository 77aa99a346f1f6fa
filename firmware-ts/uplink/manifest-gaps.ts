import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { bytesFromUtf8 } from '#bytes/text.ts';
import { encodeManifest, type StreamState } from '#contract/manifest.ts';
import type { ListedGap, Standing, StreamStanding, ToldGap } from '#store/store.ts';

/** A manifest on its way. */
export interface Telling {
  readonly text: string;
  /** The gaps it names, to be told to the store when the broker has it. */
  readonly gaps: readonly ToldGap[];
  /** Gaps that no manifest has named were left to the next one. */
  readonly more: boolean;
}

/**
 * What `standing` says as JSON of at most `bytesMax`. Where not all gaps go in, those go first that
 * no manifest has named, the oldest before the others. Errors: `too-large` if it is so without any.
 */
export function tellingOf(
  { gateway, at }: { readonly gateway: string; readonly at: string },
  { number, streams }: Standing,
  bytesMax: number,
): Telling {
  const inTurn = gapsInTurn(streams);
  for (let most = inTurn.length; ; most = most >>> 1) {
    const named = new Set(inTurn.slice(0, most));
    const states = streams.map((stream) => stateOf(stream, named));
    const omitted = streams.reduce((sum, stream) => sum + omittedOf(stream, named), 0);
    const gapsOmitted = omitted === 0 ? {} : { gapsOmitted: omitted };
    const manifest = { version: 1, gateway, at, number, streams: states, ...gapsOmitted } as const;
    const text = encodeManifest(manifest);
    if (bytesFromUtf8(text).length <= bytesMax) {
      const more = states.some(({ gapsToCome }) => gapsToCome !== undefined);
      return { text, gaps: toldBy(streams, named), more };
    }
    if (most === 0) throw new OperatingError('too-large', `over ${bytesMax} bytes`);
  }
}

/** Of all streams: those that were never told, in order, then the others, the newest first. */
function gapsInTurn(streams: readonly StreamStanding[]): readonly ListedGap[] {
  const all = streams.flatMap(({ gaps }) => gaps);
  return [...all.filter(({ told }) => !told), ...all.filter(({ told }) => told).reverse()];
}

function omittedOf({ gaps, gapsOmitted }: StreamStanding, named: ReadonlySet<ListedGap>): number {
  return gapsOmitted + gaps.filter((gap) => gap.told && !named.has(gap)).length;
}

function toldBy(streams: readonly StreamStanding[], named: ReadonlySet<ListedGap>) {
  return streams.flatMap(({ stream, epoch, gaps }) =>
    gaps
      .filter((gap) => named.has(gap) && !gap.told)
      .map(({ first, last }): ToldGap => ({ stream, epoch, first, last })),
  );
}

function stateOf(standing: StreamStanding, named: ReadonlySet<ListedGap>): StreamState {
  const { stream, class: of, epoch, through, chain, next, gaps } = standing;
  const left = gaps.filter((gap) => !gap.told && !named.has(gap)).length;
  const gapsToCome = standing.gapsToCome + left;
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

export function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
