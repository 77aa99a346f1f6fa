import { DELIVERY_CLASSES, type DeliveryClass } from '#policy/delivery-class.ts';
import type { BackendState } from './running.ts';
import { LANES } from './schema.ts';
import type { EntryRow } from './statements.ts';
import type { Owed } from './store.ts';

export function laneOf({ id }: Pick<BackendState, 'id'>, of: DeliveryClass): number {
  return id * LANES + DELIVERY_CLASSES.indexOf(of);
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
