import type { Breach, Diary } from './diary.ts';
import type { Obligations } from './obligations.ts';

export interface LifeReport {
  readonly seed: number;
  readonly years: number;
  /** The same for the same seed. */
  readonly hash: string;
  readonly events: number;
  /** Observations owed to back-ends, and what became of them. */
  readonly owed: number;
  readonly confirmed: number;
  readonly delivered: number;
  /** Observations that came again. */
  readonly repeats: number;
  /** Confirmed, dropped and named. */
  readonly named: number;
  /** In files that were set aside. */
  readonly damaged: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly breach?: Breach;
}

/** What a life was, when it is over. */
export function reportOf({
  seed,
  years,
  diary,
  obligations: books,
}: {
  readonly seed: number;
  readonly years: number;
  readonly diary: Diary;
  readonly obligations: readonly Obligations[];
}): LifeReport {
  const all = books.flatMap(({ streams }) =>
    [...streams.values()].flatMap(({ obligations }) => obligations),
  );
  const confirmed = all.filter(({ outcome }) => outcome === 'confirmed');
  const { breach, events, counts } = diary;
  return {
    seed,
    years,
    hash: diary.digest(),
    events,
    owed: all.length,
    confirmed: confirmed.length,
    delivered: all.filter(({ delivered }) => delivered !== undefined).length,
    repeats: books.reduce((sum, { repeats }) => sum + repeats, 0),
    named: confirmed.filter(({ delivered }) => delivered === undefined).length,
    damaged: all.filter(({ outcome, delivered }) => outcome === 'damaged' && !delivered).length,
    counts: Object.fromEntries([...counts].sort(([one], [other]) => (one < other ? -1 : 1))),
    ...(breach === undefined ? {} : { breach }),
  };
}
