import { laneOf, merged, owedOf } from './lanes.ts';
import { type BackendState, type RunningNumbers, countQueued } from './running.ts';
import { STATE } from './schema.ts';
import type { EntryRow, Statements } from './statements.ts';
import type { Owed, Receipt } from './store.ts';

/** Entries that are in memory at a time. */
const ROWS_MAX = 1_000;

type ByStream = Map<number, Receipt>;

/**
 * Forgets what the back-end holds; answers the holes, which are due again. Each lane is walked
 * once, however many streams the back-end tells of.
 */
export function receive(
  statements: Statements,
  numbers: RunningNumbers,
  backend: BackendState,
  receipts: readonly Receipt[],
): Owed {
  let owed: Owed = {};
  for (const [lane, byStream] of byLane(numbers, backend, receipts)) {
    owed = merged(owed, receiveLane(statements, backend, lane, byStream));
  }
  return owed;
}

export function forget(
  statements: Statements,
  backend: BackendState,
  { id, readings, bytes }: Pick<EntryRow, 'id' | 'readings' | 'bytes'>,
): void {
  statements.forgetEntry.run(id);
  countQueued(backend, -1, -readings, -bytes);
}

function byLane(
  numbers: RunningNumbers,
  backend: BackendState,
  receipts: readonly Receipt[],
): ReadonlyMap<number, ByStream> {
  const keyOf = (stream: string, epoch: number): string => `${stream} ${epoch}`;
  const byKey = new Map(receipts.map((one) => [keyOf(one.stream, one.epoch), one]));
  const lanes = new Map<number, ByStream>();
  for (const stream of numbers.streams.values()) {
    const receipt = byKey.get(keyOf(stream.name, stream.epoch));
    if (stream.backend !== backend || receipt === undefined) continue;
    const lane = laneOf(backend, stream.class);
    lanes.set(lane, (lanes.get(lane) ?? new Map<number, Receipt>()).set(stream.id, receipt));
  }
  return lanes;
}

function receiveLane(
  statements: Statements,
  backend: BackendState,
  lane: number,
  byStream: ByStream,
): Owed {
  let [owed, afterId]: [Owed, number] = [{}, 0];
  for (;;) {
    const rows = statements.awaiting.all(lane, afterId, ROWS_MAX);
    for (const entry of rows) {
      const receipt = byStream.get(entry.stream);
      if (receipt === undefined || lastOf(entry) > receipt.through) continue;
      if (isMissing(entry, receipt)) {
        statements.setState.run(STATE.due, entry.id);
        owed = merged(owed, owedOf(entry));
      } else forget(statements, backend, entry);
    }
    const newest = rows.at(-1);
    if (newest === undefined) return owed;
    afterId = newest.id;
  }
}

function isMissing(entry: EntryRow, { holes }: Receipt): boolean {
  return holes.some(([first, last]) => first <= lastOf(entry) && last >= entry.sequence);
}

function lastOf({ sequence, count }: EntryRow): number {
  return sequence + count - 1;
}
