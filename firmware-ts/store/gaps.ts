import { MANIFEST_GAPS_MAX, type GapReason } from '#contract/manifest.ts';
import type { Now } from './messages.ts';
import { type StreamState, gapOf } from './running.ts';
import type { Statements } from './statements.ts';
import type { Gap, NamedGap } from './store.ts';

/** Names numbers that will never come, and moves streams past them. */
export class Gaps {
  readonly #statements: Statements;
  /** Named since the last `take`. */
  #named: NamedGap[] = [];

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /**
   * Numbers `first … last` of `stream`, none of which has been delivered; those of one entry are
   * named together, so that either all are named already or none.
   */
  name(
    stream: StreamState,
    numbers: { readonly first: number; readonly last: number },
    reason: GapReason,
    { wallMs }: Pick<Now, 'wallMs'>,
  ): void {
    const { first, last } = numbers;
    if (stream.gapsAhead.some((gap) => gap.first <= first && gap.last >= last)) return;
    const gap = { first, last, reason, ...(wallMs === undefined ? {} : { wallMs }) };
    const before = this.#statements.gapBefore.get(stream.id, first);
    if (before?.last === first - 1 && before.reason === reason) {
      this.#statements.growGap.run(last, stream.id, before.first);
    } else {
      this.#statements.addGap.run(stream.id, first, last, reason, wallMs ?? null);
    }
    const { backend, name, epoch } = stream;
    this.#named.push({ ...gap, backend: backend.name, stream: name, epoch });
    stream.gapsAhead.push(gap);
    stream.gapsAhead.sort((a, b) => a.first - b.first);
    stream.changed = true;
    passOver(stream);
    this.#bound(stream);
  }

  /** The newest of those that are passed, then what is ahead; and how many passed ones are not. */
  listed({ id, through, gapsOmitted }: StreamState): { gaps: readonly Gap[]; omitted: number } {
    const gaps = this.#statements.gaps.all(id).map(gapOf);
    const passed = gaps.filter(({ last }) => last <= through);
    const omitted = Math.max(0, passed.length - MANIFEST_GAPS_MAX);
    const listed = gaps.slice(omitted, omitted + MANIFEST_GAPS_MAX);
    return { gaps: listed, omitted: gapsOmitted + omitted };
  }

  take(): readonly NamedGap[] {
    const named = this.#named;
    this.#named = [];
    return named;
  }

  /** Those ahead are never forgotten: the stream could not move past them after a restart. */
  #bound(stream: StreamState): void {
    const { id, through } = stream;
    const excess = (this.#statements.countGaps.get(id, through) ?? 0) - MANIFEST_GAPS_MAX;
    if (excess > 0) stream.gapsOmitted += this.#statements.forgetGapsPassed.run(id, excess).changes;
  }
}

/** Gaps that follow what is delivered are not waited for; the chain stays (decision 0006). */
export function passOver(stream: StreamState): void {
  for (;;) {
    const next = stream.gapsAhead[0];
    if (next === undefined || next.first > stream.through + 1) return;
    stream.gapsAhead.shift();
    stream.through = Math.max(stream.through, next.last);
  }
}
