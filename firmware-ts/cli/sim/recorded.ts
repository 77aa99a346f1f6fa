import { OperatingError } from '#bytes/failure.ts';
import { octetsOfTrace } from '#bytes/trace.ts';
import type { Turn } from '#protocol/lock-step.ts';
import { turnsOf } from '#protocol/lock-step.ts';
import { readBounded } from '#system/bounded-file.ts';

/** A night of talk at 115 200 Bd. */
const TRACE_BYTES_MAX = 64 << 20;

/** The conversation of a trace. Errors: those of `readBounded`, `bad-vector`, `empty-capture`. */
export function turnsIn(path: string): readonly Turn[] {
  const text = readBounded(path, { users: 'anyone', bytesMax: TRACE_BYTES_MAX }).toString('utf8');
  const turns = turnsOf(octetsOfTrace(text) ?? []);
  if (turns.length > 0) return turns;
  throw new OperatingError('empty-capture', `${path} is no trace in which anything was said`, {
    path,
    hint: 'record one: normctl meter objects --trace FILE',
  });
}
