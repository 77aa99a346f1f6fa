import type { GapReason } from '#contract/manifest.ts';
import type { Now } from './messages.ts';
import type { StreamState } from './running.ts';
import type { Statements } from './statements.ts';
import type { NamedGap } from './store.ts';

/** Listed gaps of a stream; a manifest carries them all. */
const GAPS_MAX = 256;

/** Names numbers that will never come, and moves streams past them. */
export class Gaps {
  readonly #statements: Statements;
  /** Named since the last `take`. */
  #named: NamedGap[] = [];

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Numbers `first … last` of `stream`, none of which has been delivered or named. */
  name(
    stream: StreamState,
    numbers: { readonly first: number; readonly last: number },
    reason: GapReason,
    { wallMs }: Pick<Now, 'wallMs'>,
  ): void {
    const { first, last } = numbers;
    const gap = { first, last, reason, ...(wallMs === undefined ? {} : { wallMs }) };
    const before = this.#statements.gapBefore.get(stream.id, first);
    if (before?.last === first - 1 && before.reason === reason) {
      this.#statements.growGap.run(last, stream.id, before.first);
    } else {
      this.#statements.addGap.run(stream.id, first, last, reason, wallMs ?? null);
      this.#bound(stream);
    }
    const { backend, name, epoch } = stream;
    this.#named.push({ ...gap, backend: backend.name, stream: name, epoch });
    stream.gapsAhead.push(gap);
    stream.gapsAhead.sort((a, b) => a.first - b.first);
    stream.changed = true;
    passOver(stream);
  }

  take(): readonly NamedGap[] {
    const named = this.#named;
    this.#named = [];
    return named;
  }

  #bound(stream: StreamState): void {
    const count = this.#statements.countGaps.get(stream.id) ?? 0;
    if (count <= GAPS_MAX) return;
    this.#statements.forgetOldestGap.run({ stream: stream.id });
    stream.gapsOmitted += 1;
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
