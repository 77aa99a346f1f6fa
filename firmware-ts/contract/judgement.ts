import { Ranges } from './ranges.ts';

/** Verdicts that change with each manifest for a hundred days; each range costs memory for ever. */
const RANGES_MAX = 10_000;

export type Judged = 'proven' | 'broken' | 'unchecked';

/**
 * What was judged of one stream and epoch, interval by interval. Where verdicts alternate for too
 * long the oldest are told less exactly and never better: a broken or unchecked range takes in what
 * lies before the next of its kind, and what was proven there is unchecked. The verdict on the
 * whole stays, since proven ranges are apart only where something is not.
 */
export class Judgement implements Readonly<Record<Judged, Ranges>> {
  readonly proven = new Ranges();
  readonly broken = new Ranges();
  readonly unchecked = new Ranges();

  add(verdict: Judged, from: number, through: number): void {
    this[verdict].add(from, through);
    if (this[verdict].list.length <= RANGES_MAX) return;
    if (verdict === 'proven') this.#forgetProof();
    else joinOldest(this[verdict]);
  }

  #forgetProof(): void {
    const oldest = this.proven.shift();
    if (oldest !== undefined) this.add('unchecked', ...oldest);
  }
}

function joinOldest(ranges: Ranges): void {
  const [one, next] = ranges.list;
  if (one !== undefined && next !== undefined) ranges.add(one[0], next[1]);
}
