import type { Entropy } from '#system/entropy.ts';
import type { History } from './history.ts';
import type { IoEvent } from './io-log.ts';
import { Obligations } from './obligations.ts';
import { type Image, type Luck, Volume } from './volume.ts';

/** What a power cut may have left, and what holds for it. */
export interface CrashState {
  /** How many events of the history happened before. */
  readonly at: number;
  readonly luck: Luck;
  readonly image: Image;
  readonly obligations: Obligations;
}

/** At the boundaries of an fsync, and of a change of names, all of these are tried. */
const LUCK_AT_BOUNDARIES: readonly Luck[] = [
  { contents: 'none', names: 'none' },
  { contents: 'all', names: 'all' },
  { contents: 'some', names: 'first' },
  { contents: 'torn', names: 'some' },
];

const CONTENTS = ['none', 'all', 'some', 'torn'] as const;
const NAMES = ['none', 'all', 'first', 'some'] as const;

const BOUNDARIES: ReadonlySet<IoEvent['kind']> = new Set([
  'birth',
  'open',
  'rename',
  'unlink',
  'mkdir',
  'sync',
  'synced',
]);

/**
 * Crash states of a history in its order: those of every boundary, and others in between until
 * they are `count`. The same history, count and entropy give the same states.
 */
export function* crashStates(
  history: History,
  count: number,
  entropy: Entropy,
): Generator<CrashState> {
  const volume = new Volume(history.watch, history.base.image);
  const obligations = new Obligations();
  for (const fact of history.base.facts) obligations.take(fact);
  const plan = planOf(history.events, count, entropy);
  for (const [at, event] of history.events.entries()) {
    for (const luck of plan.get(at) ?? []) {
      yield { at, luck, image: volume.afterPowerCut(luck, entropy), obligations };
    }
    volume.take(event);
    if (event.kind === 'mark') for (const fact of event.lines) obligations.take(fact);
  }
}

function planOf(
  events: readonly IoEvent[],
  count: number,
  entropy: Entropy,
): ReadonlyMap<number, readonly Luck[]> {
  const plan = new Map<number, Luck[]>();
  let planned = 0;
  const add = (at: number, luck: Luck): void => {
    plan.set(at, [...(plan.get(at) ?? []), luck]);
    planned += 1;
  };
  const boundaries = events.flatMap(({ kind }, at) => (BOUNDARIES.has(kind) ? [at, at + 1] : []));
  for (const at of new Set(boundaries)) for (const luck of LUCK_AT_BOUNDARIES) add(at, luck);
  const any = <Word>(words: readonly Word[]): Word => {
    const word = words[Math.floor(entropy.fraction() * words.length)];
    if (word === undefined) throw new Error('nothing to choose from');
    return word;
  };
  while (planned < count) {
    const at = Math.floor(entropy.fraction() * events.length);
    add(at, { contents: any(CONTENTS), names: any(NAMES) });
  }
  return plan;
}

/** How often a living process has written its log into the database and begun the log anew. */
export function checkpointsIn({ events }: History): number {
  let count = 0;
  /** Descriptors of logs: whether more than the head was written. */
  const logs = new Map<number, boolean>();
  for (const event of events) {
    if (event.kind === 'birth') logs.clear();
    else if (event.kind === 'open' && event.path.endsWith('-wal')) logs.set(event.fd, false);
    else if (event.kind === 'close') logs.delete(event.fd);
    else if (event.kind === 'write' && logs.has(event.fd)) {
      if (event.offset === 0 && logs.get(event.fd) === true) count += 1;
      logs.set(event.fd, event.offset > 0);
    }
  }
  return count;
}
