import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES, byClass } from '#policy/delivery-class.ts';
import type { BackendState, RunningNumbers } from './running.ts';
import { LANES, STATE } from './schema.ts';
import type { EntryRow, Statements } from './statements.ts';
import type { DueName, Owed, QueueCounts } from './store.ts';

export function laneOf({ id }: Pick<BackendState, 'id'>, of: DeliveryClass): number {
  return id * LANES + DELIVERY_CLASSES.indexOf(of);
}

/** What is due of each class; the store's clock stood at `zeroMs` when the monotonic one began. */
export function dueByClass(
  statements: Statements,
  numbers: RunningNumbers,
  backend: BackendState,
  zeroMs: number,
): QueueCounts['lanes'] {
  const streams = [...numbers.streams.values()].filter((one) => one.backend === backend);
  return byClass((of) => {
    const lane = laneOf(backend, of);
    const [oldest] = statements.oldestOf.all(lane, STATE.due, 1);
    if (oldest === undefined) return { entries: 0 };
    // What waits is counted already: a backlog need not be walked over, only what is not due.
    const waiting = streams
      .filter((stream) => stream.class === of)
      .reduce((sum, { queuedEntries }) => sum + queuedEntries, 0);
    const rest = NOT_DUE.map((state) => statements.countIn.get(lane, state) ?? 0);
    const entries = rest.reduce((left, count) => left - count, waiting);
    return { entries, committedMs: oldest.storedMs - zeroMs };
  });
}

const NOT_DUE = [STATE.awaitsReceipt, STATE.quarantined] as const;

/** A page of what is due, by its names. */
export function dueNames(
  { dueNames: named }: Statements,
  { streams }: RunningNumbers,
  page: readonly [lane: number, afterId: number, limit: number],
): readonly DueName[] {
  return named.all(...page).map(({ id, stream }) => {
    return { id, stream: streams.get(stream)?.name ?? '' };
  });
}

/** Entries in quarantine, all of them. */
export function countQuarantined({ countIn }: Statements, backend: BackendState): number {
  const counts = DELIVERY_CLASSES.map((of) => {
    return countIn.get(laneOf(backend, of), STATE.quarantined) ?? 0;
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

/** First and last id of both. */
export function merged(one: Owed, other: Owed): Owed {
  const all: Record<string, { firstId: number; lastId: number }> = { ...one };
  for (const of of DELIVERY_CLASSES) {
    const [a, b] = [one[of], other[of]];
    if (b === undefined) continue;
    all[of] = {
      firstId: Math.min(a?.firstId ?? b.firstId, b.firstId),
      lastId: Math.max(a?.lastId ?? b.lastId, b.lastId),
    };
  }
  return all;
}

export function owedOf({ id, lane }: Pick<EntryRow, 'id' | 'lane'>): Owed {
  const of = DELIVERY_CLASSES[lane % LANES];
  return of === undefined ? {} : { [of]: { firstId: id, lastId: id } };
}
