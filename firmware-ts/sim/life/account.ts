import { Ranges } from '#contract/ranges.ts';
import type { Gap } from '#store/store.ts';

/** What became of an append; `unknown` where the process died before it was told. */
export type Outcome = 'unknown' | 'confirmed' | 'refused';

/** One observation that a stream was given. */
export interface Obligation {
  outcome: Outcome;
  /** The number under which it came to the back-end first. */
  delivered?: { readonly epoch: number; readonly sequence: number };
}

/** One epoch of a stream. */
export interface Life {
  /** Form by number, of all that came. */
  readonly contents: Map<number, string>;
  last: number;
}

/** One stream of one back-end: what it is owed, in order, and what it got. */
export interface StreamAccount {
  readonly obligations: Obligation[];
  readonly places: Map<string, number>;
  readonly lives: Map<number, Life>;
  /** Place of the obligation that came last. */
  lastPlace: number;
}

/** Where a stream stands in one epoch, as the gateway says. */
export interface Named {
  readonly stream: string;
  readonly epoch: number;
  /** The next number. */
  readonly next: number;
  readonly gaps: readonly Pick<Gap, 'first' | 'last'>[];
}

/**
 * The first thing that is wrong with a stream whose queue is empty: what was confirmed has come or
 * has a number in a gap, and every number has come or is in a gap.
 */
export function unaccounted(account: StreamAccount, named: readonly Named[]): string | undefined {
  const asked = new Map(named.map((one) => [one.epoch, one]));
  for (const epoch of account.lives.keys()) {
    if (!asked.has(epoch)) return `epoch ${epoch} is not among those that the gateway names`;
  }
  for (const one of named) {
    const wrong = wrongNumbers(account, one);
    if (wrong !== undefined) return wrong;
  }
  return missingBetween(account, asked);
}

/** Numbers neither delivered nor named. */
function wrongNumbers(account: StreamAccount, { epoch, next, gaps }: Named): string | undefined {
  const known = new Ranges();
  for (const { first, last } of gaps) known.add(first, last);
  for (const sequence of account.lives.get(epoch)?.contents.keys() ?? []) {
    if (sequence >= next) return `number ${sequence} came, and the next is ${next}`;
    known.add(sequence, sequence);
  }
  const [hole] = known.missing(0, next - 1);
  if (hole === undefined) return undefined;
  return `numbers ${hole[0]} to ${hole[1]} of epoch ${epoch} have neither come nor been named`;
}

/**
 * Between two that came, as many numbers as were confirmed must be named: which is which nobody
 * can know, since what was refused or not told may have a number or none.
 */
function missingBetween(
  account: StreamAccount,
  asked: ReadonlyMap<number, Named>,
): string | undefined {
  const [only] = asked.values();
  if (asked.size !== 1 || only === undefined) {
    return account.obligations.some(({ outcome }) => outcome === 'confirmed') && asked.size === 0
      ? 'the gateway does not know the stream'
      : undefined;
  }
  let after = -1;
  let confirmed = 0;
  let given = 0;
  const check = (before: number): string | undefined => {
    const numbers = before - after - 1;
    if (confirmed > numbers) {
      return `${confirmed} were confirmed between ${after} and ${before}, and have not come`;
    }
    if (numbers > given) return `${numbers} numbers from ${after} on for ${given} observations`;
    return undefined;
  };
  for (const { outcome, delivered } of account.obligations) {
    if (delivered === undefined) {
      given += 1;
      if (outcome === 'confirmed') confirmed += 1;
      continue;
    }
    const wrong = check(delivered.sequence);
    if (wrong !== undefined) return wrong;
    [after, confirmed, given] = [delivered.sequence, 0, 0];
  }
  return check(only.next);
}
