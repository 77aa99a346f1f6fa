import type { GapReason } from '#contract/manifest.ts';
import { MANIFEST_GAPS_MAX } from '#contract/manifest.ts';
import type { Now } from './messages.ts';
import type { StreamState } from './running.ts';
import { gapOf } from './running.ts';
import type { Statements } from './statements.ts';
import type { ListedGap, NamedGap, StreamStanding, ToldGap } from './store.ts';

type Listed = Pick<StreamStanding, 'gaps' | 'gapsOmitted' | 'gapsToCome'>;
type ListedRow = ReturnType<Statements['newestGaps']['all']>[number];

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
    const grows = before?.last === first - 1 && before.reason === reason;
    stream.firstUntold = Math.min(stream.firstUntold, grows ? before.first : first);
    if (grows) {
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
  }

  /** For a manifest: the oldest that none has told yet, and the newest of the others. */
  toTell(stream: StreamState): Listed {
    const untold = this.#statements.untoldGaps.all(stream.id, MANIFEST_GAPS_MAX);
    const rest = MANIFEST_GAPS_MAX - untold.length;
    return this.#listed(stream, [
      ...untold,
      ...this.#statements.newestToldGaps.all(stream.id, rest),
    ]);
  }

  newest(stream: StreamState): Listed {
    return this.#listed(stream, this.#statements.newestGaps.all(stream.id, MANIFEST_GAPS_MAX));
  }

  /** A manifest with these has been heard; one that has grown meanwhile is told once more. */
  told(stream: StreamState, { first, last }: ToldGap): void {
    this.#statements.tellGap.run(stream.id, first, last);
    stream.firstUntold = this.#statements.untoldGaps.get(stream.id, 1)?.first ?? Infinity;
    stream.changed = true;
  }

  leftToTell({ id }: StreamState): boolean {
    return this.#statements.untoldGaps.all(id, 1).length > 0;
  }

  /**
   * Forgets the oldest of those that were told and are passed. Those ahead stay: the stream could
   * not move past them after a restart.
   */
  bound(stream: StreamState): void {
    const { id, through } = stream;
    const passed = this.#statements.countGapsToForget.get(id, through) ?? 0;
    const excess = passed - MANIFEST_GAPS_MAX;
    if (excess <= 0) return;
    stream.gapsOmitted += this.#statements.forgetGapsPassed.run(id, excess).changes;
    stream.changed = true;
  }

  take(): readonly NamedGap[] {
    const named = this.#named;
    this.#named = [];
    return named;
  }

  #listed({ id, gapsOmitted }: StreamState, rows: readonly ListedRow[]): Listed {
    const gaps = rows
      .map((row): ListedGap => ({ ...gapOf(row), told: row.told !== 0 }))
      .sort((a, b) => a.first - b.first);
    const [told, untold] = [1, 0].map((word) => this.#statements.countGaps.get(id, word) ?? 0);
    const toldHere = gaps.filter((gap) => gap.told).length;
    return {
      gaps,
      gapsOmitted: gapsOmitted + (told ?? 0) - toldHere,
      gapsToCome: (untold ?? 0) - (gaps.length - toldHere),
    };
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
