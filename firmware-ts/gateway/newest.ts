import type { Observation, TimeMark } from '#reading/reading.ts';
import { decodeStored } from '#reading/stored.ts';
import type { Store } from '#store/store.ts';

/** A telegram is one; a row of a profile seldom more than a few. */
const FIRST_ASKED = 16;

/** More rows of one moment are not looked at. */
const SAME_TIME_MAX = 1000;

/**
 * The last observations of `source` that have one time, oldest first; none where nothing is kept.
 * Errors: those of the store.
 */
export async function newestOf(
  store: Pick<Store, 'newest'>,
  source: string,
): Promise<readonly Observation[]> {
  const few = await newest(store, source, FIRST_ASKED);
  const same = ofLastTime(few);
  return same.length < FIRST_ASKED ? same : ofLastTime(await newest(store, source, SAME_TIME_MAX));
}

async function newest(
  store: Pick<Store, 'newest'>,
  source: string,
  limit: number,
): Promise<readonly Observation[]> {
  const kept = await store.newest(source, limit);
  return kept.map(({ observation }) => decodeStored(observation));
}

function ofLastTime(observations: readonly Observation[]): readonly Observation[] {
  const last = observations.at(-1);
  if (last === undefined) return [];
  const other = observations.findLastIndex(({ time }) => !areSame(time, last.time));
  return observations.slice(other + 1);
}

function areSame(one: TimeMark, other: TimeMark): boolean {
  return one.second === other.second && one.nanosecond === other.nanosecond;
}
