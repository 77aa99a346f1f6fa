import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import type { Batch, OwedRun } from './messages.ts';

export const LEAST_URGENT_FIRST = DELIVERY_CLASSES.toReversed();

/** What a batch owes one back-end up to a class, with what it keeps at home. */
export interface Need {
  readonly backend: string;
  readonly class: DeliveryClass;
  readonly bytes: number;
}

export function lessUrgentThan(of: DeliveryClass): readonly DeliveryClass[] {
  return LEAST_URGENT_FIRST.slice(0, LEAST_URGENT_FIRST.indexOf(of));
}

/** A page is freed only when all in it is gone, so that more is dropped than is needed. */
export function roomOf(bytes: number): number {
  return 2 * bytes + (64 << 10);
}

/** The most urgent first: what follows needs room beside it, and takes it from others. */
export function needsOf({ owed, kept }: Batch): readonly Need[] {
  let bytes = bytesOf(kept);
  return DELIVERY_CLASSES.flatMap((of) => {
    const runs = owed.filter((run) => run.class === of);
    bytes += bytesOf(runs);
    const backends = new Set(runs.map(({ backend }) => backend));
    return [...backends].map((backend) => ({ backend, class: of, bytes }));
  });
}

/** The numbers of its least urgent class are skipped; nothing if there is but one. */
export function withoutLeastUrgent(batch: Batch): Batch | undefined {
  const { owed, skipped } = batch;
  const least = LEAST_URGENT_FIRST.find((of) => owed.some((run) => run.class === of));
  const left = owed.filter((run) => run.class !== least);
  if (left.length === 0) return undefined;
  const out = owed.filter((run) => run.class === least);
  return { ...batch, owed: left, skipped: [...skipped, ...out], bytes: bytesWithout(batch, out) };
}

function bytesWithout({ kept, owed, bytes }: Batch, out: readonly OwedRun[]): ArrayBuffer {
  const left = new Uint8Array(bytes.byteLength - bytesOf(out));
  let from = bytesOf(kept);
  left.set(new Uint8Array(bytes, 0, from));
  let to = from;
  for (const run of owed) {
    if (!out.includes(run)) {
      left.set(new Uint8Array(bytes, from, run.length), to);
      to += run.length;
    }
    from += run.length;
  }
  return left.buffer;
}

function bytesOf(runs: readonly { readonly length: number }[]): number {
  return runs.reduce((sum, { length }) => sum + length, 0);
}
