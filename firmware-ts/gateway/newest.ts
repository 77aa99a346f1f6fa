import type { Observation, TimeMark } from '#reading/reading.ts';
import { decodeStored } from '#reading/stored.ts';
import type { Kept, Store } from '#store/store.ts';

type Shelf = Pick<Store, 'observations'>;

/** More rows of one moment are not looked at. */
const SAME_TIME_MAX = 1000;

/**
 * The last observations of `source` that have one time, oldest first; none where nothing is kept.
 * The store lists from the oldest: they are searched for by halves. Errors: those of the store.
 */
export async function newestOf(store: Shelf, source: string): Promise<readonly Observation[]> {
  const last = await lastKept(store, source);
  if (last === undefined) return [];
  const { time } = decodeStored(last.observation);
  const isOfTime = ({ observation }: Kept) => areSame(decodeStored(observation).time, time);
  let low = 0;
  let high = last.id - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const kept = await firstAfter(store, source, middle);
    if (kept === undefined || isOfTime(kept)) high = middle;
    else low = kept.id;
  }
  const found = await store.observations(source, low, SAME_TIME_MAX);
  return found.map(({ observation }) => decodeStored(observation));
}

/** Ids are of all sources together, and grow: doubles the step, then halves it. */
async function lastKept(store: Shelf, source: string): Promise<Kept | undefined> {
  let last = await firstAfter(store, source, 0);
  for (let step = 1; last !== undefined && step >= 1;) {
    const next: Kept | undefined = await firstAfter(store, source, last.id + step - 1);
    if (next === undefined) step = Math.floor(step / 2);
    else [last, step] = [next, step * 2];
  }
  return last;
}

async function firstAfter(store: Shelf, source: string, id: number): Promise<Kept | undefined> {
  const [kept] = await store.observations(source, id, 1);
  return kept;
}

function areSame(one: TimeMark, other: TimeMark): boolean {
  return one.second === other.second && one.nanosecond === other.nanosecond;
}
