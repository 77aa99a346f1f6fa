import { laneOf, merged, owedOf } from './lanes.ts';
import type { LanePlace, Received } from './messages.ts';
import type { BackendState, RunningNumbers } from './running.ts';
import { countQueued } from './running.ts';
import { STATE } from './schema.ts';
import type { EntryRow, Statements } from './statements.ts';
import type { Owed, Receipt } from './store.ts';

/** Entries that one part looks at: between parts the store's thread serves others. */
const ROWS_MAX = 2_000;

type ByStream = Map<number, Receipt>;

/**
 * A part of what receipts say: forgets what the back-end holds; answers the holes, which are due
 * again, and where the next part begins. Each lane is walked once, however many streams the
 * back-end tells of.
 */
export function receive(
  statements: Statements,
  numbers: RunningNumbers,
  backend: BackendState,
  { receipts, from }: { readonly receipts: readonly Receipt[]; readonly from: LanePlace },
): Received {
  const lanes = [...byLane(numbers, backend, receipts)].sort(([a], [b]) => a - b);
  const [here, after] = lanes.filter(([lane]) => lane >= from.lane);
  if (here === undefined) return { owed: {} };
  const [lane, byStream] = here;
  const rows = statements.awaiting.all(lane, lane === from.lane ? from.afterId : 0, ROWS_MAX);
  const owed = receiveRows(statements, numbers, rows, byStream);
  const newest = rows.length === ROWS_MAX ? rows.at(-1) : undefined;
  if (newest !== undefined) return { owed, next: { lane, afterId: newest.id } };
  return after === undefined ? { owed } : { owed, next: { lane: after[0], afterId: 0 } };
}

export function forget(
  statements: Statements,
  numbers: RunningNumbers,
  { id, stream: of, readings, bytes }: EntryRow,
): void {
  statements.forgetEntry.run(id);
  const stream = numbers.streams.get(of);
  if (stream !== undefined) countQueued(stream, -1, -readings, -bytes);
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

function receiveRows(
  statements: Statements,
  numbers: RunningNumbers,
  rows: readonly EntryRow[],
  byStream: ByStream,
): Owed {
  let owed: Owed = {};
  for (const entry of rows) {
    const receipt = byStream.get(entry.stream);
    if (receipt === undefined || lastOf(entry) > receipt.through) continue;
    if (isMissing(entry, receipt)) {
      statements.setState.run(STATE.due, entry.id);
      owed = merged(owed, owedOf(entry));
    } else forget(statements, numbers, entry);
  }
  return owed;
}

function isMissing(entry: EntryRow, { holes }: Receipt): boolean {
  return holes.some(([first, last]) => first <= lastOf(entry) && last >= entry.sequence);
}

function lastOf({ sequence, count }: EntryRow): number {
  return sequence + count - 1;
}
