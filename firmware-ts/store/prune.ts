import type { RunningNumbers, SourceState } from './running.ts';
import type { OldRow, Statements } from './statements.ts';
import type { Retention } from './store.ts';

/** Rows that one commit looks at: a long overdue pruning is spread over many commits. */
const PRUNE_ROWS_MAX = 1_000;

/**
 * Deletes what the local raw store need not keep; never touches the outbox. Age is measured from
 * the newest append (`nowMs`): the thread needs no clock of its own.
 */
export function prune(
  statements: Statements,
  numbers: RunningNumbers,
  retention: Retention,
  nowMs: number,
): void {
  const horizonMs = nowMs - retention.ageMs;
  const bySource = new Map([...numbers.sources.values()].map((source) => [source.id, source]));
  for (const row of agedRows(statements, horizonMs, nowMs)) drop(statements, bySource, row);
  for (const source of numbers.sources.values()) {
    if (source.bytes <= retention.bytes) continue;
    for (const row of statements.oldestOfSource.all(source.id, PRUNE_ROWS_MAX)) {
      drop(statements, bySource, row);
      if (source.bytes <= retention.bytes) break;
    }
  }
}

/** A row dated into the future by a clock fault must not keep the ones behind it. */
function agedRows(statements: Statements, horizonMs: number, nowMs: number): readonly OldRow[] {
  const [first] = statements.oldest.all(1);
  if (first === undefined || (first.takenMs >= horizonMs && first.takenMs <= nowMs)) return [];
  return statements.oldest.all(PRUNE_ROWS_MAX).filter(({ takenMs }) => takenMs < horizonMs);
}

function drop(statements: Statements, bySource: Map<number, SourceState>, row: OldRow): void {
  statements.prune.run(row.id);
  const source = bySource.get(row.source);
  if (source === undefined) return;
  source.bytes -= row.bytes;
  source.changed = true;
}
