import { Reader, Writer } from '#bytes/cursor.ts';
import { GAP_REASONS } from '#contract/manifest.ts';
import type { GapRow } from './statements.ts';

/** Of a stream, in its row; the row is written with each message, and shares its page. */
export const UNTOLD_MAX = 8;

/** First and last number (u64), and the place of the reason in `GAP_REASONS`. */
const GAP_BYTES = 17;

export type UntoldGap = Pick<GapRow, 'first' | 'last' | 'reason'>;

/**
 * The oldest gaps that no manifest has told, as a stream's row repeats them: should their own page
 * be damaged, what was named and what was delivered can still be told apart. Nothing for none.
 */
export function untoldToBytes(gaps: readonly UntoldGap[]): Uint8Array | null {
  if (gaps.length === 0) return null;
  const writer = new Writer(gaps.length * GAP_BYTES);
  for (const { first, last, reason } of gaps) {
    const place = GAP_REASONS.findIndex((word) => word === reason);
    writer.u64(BigInt(first)).u64(BigInt(last)).u8(place);
  }
  return writer.finish();
}

/** `undefined` for what cannot have been written like this. */
export function untoldIn(bytes: Uint8Array): readonly UntoldGap[] | undefined {
  if (bytes.length % GAP_BYTES !== 0 || bytes.length > UNTOLD_MAX * GAP_BYTES) return undefined;
  const reader = new Reader(bytes);
  const gaps: UntoldGap[] = [];
  while (reader.remaining > 0) {
    const [first, last] = [Number(reader.u64()), Number(reader.u64())];
    const reason = GAP_REASONS[reader.u8()];
    const good = (gaps.at(-1)?.last ?? -1) < first && first <= last;
    if (!good || reason === undefined || !Number.isSafeInteger(last)) return undefined;
    gaps.push({ first, last, reason });
  }
  return gaps;
}
