import type { Piece } from './pieces.ts';

/** Consecutive entries of one stream, or parts of one, that travel in one payload. */
export interface Pack {
  readonly stream: string;
  readonly entries: readonly [Piece, ...Piece[]];
}

/** What a packet holds beside its entries' records and twice its stream's and gateway's name. */
const PACK_OVERHEAD_BYTES = 96;
/** A pack is decoded as a whole by the head-end. */
const PACK_COUNT_MAX = 512;

/**
 * The oldest of `pending` together with those of its stream that fit beside it in `bytesMax`, and
 * what is left. An entry that is larger by itself comes alone.
 */
export function packFrom(
  pending: readonly Piece[],
  bytesMax: number,
): { readonly pack: Pack; readonly rest: Piece[] } | undefined {
  const [first, ...later] = pending;
  if (first === undefined) return undefined;
  const entries: [Piece, ...Piece[]] = [first];
  const rest: Piece[] = [];
  let bytes = PACK_OVERHEAD_BYTES + 2 * first.stream.length + first.records.length;
  let count = first.count;
  let open = true;
  for (const entry of later) {
    if (entry.stream !== first.stream) rest.push(entry);
    else {
      bytes += entry.records.length;
      open &&= bytes <= bytesMax && follows(entry, first, count);
      count += entry.count;
      (open ? entries : rest).push(entry);
    }
  }
  return { pack: { stream: first.stream, entries }, rest };
}

/** Whether `entry` may come after the `count` observations of a pack that begins with `first`. */
function follows(entry: Piece, first: Piece, count: number): boolean {
  return (
    first.alone !== true &&
    entry.alone !== true &&
    count + entry.count <= PACK_COUNT_MAX &&
    entry.epoch === first.epoch &&
    entry.sequence === first.sequence + count
  );
}
