import { Ranges } from '#contract/ranges.ts';
import type { Gap } from '#store/store.ts';

/**
 * What became of an append: `unknown` where the process died before it was told, `damaged` where
 * it was in a file that had to be set aside.
 */
export type Outcome = 'unknown' | 'confirmed' | 'refused' | 'damaged';

/** One observation that a stream was given. */
export interface Obligation {
  outcome: Outcome;
  /** The number under which it came to the back-end first, in its order. */
  delivered?: { readonly epoch: number; readonly sequence: number };
  /** It came, in its order or as a copy. */
  seen: boolean;
}

/** One epoch of a stream. */
export interface Life {
  /** Form by number, of all that came in order, and of copies. */
  readonly contents: Map<number, string>;
  readonly copies: Map<number, string>;
  last: number;
  /** Place of the obligation that came last. */
  lastPlace: number;
}

/** One stream of one back-end: what it is owed, in order, and what it got. */
export interface StreamAccount {
  readonly obligations: Obligation[];
  readonly places: Map<string, number>;
  readonly lives: Map<number, Life>;
}

/** Where a stream stands in one epoch, as the gateway says. */
export interface Named {
  readonly stream: string;
  readonly epoch: number;
  /** The next number. */
  readonly next: number;
  readonly gaps: readonly Pick<Gap, 'first' | 'last'>[];
}

/** Epochs of the gateway's store, in the order in which they were. */
export interface Epochs {
  readonly order: readonly number[];
  /** Of files that were set aside: their last numbers may be known to nobody. */
  readonly damaged: ReadonlySet<number>;
}

/**
 * The first thing that is wrong with a stream whose queue is empty: what was confirmed has come or
 * has a number in a gap, and every number has come or is in a gap.
 */
export function unaccounted(
  account: StreamAccount,
  named: readonly Named[],
  { order, damaged }: Epochs,
): string | undefined {
  const asked = new Map(named.map((one) => [one.epoch, one]));
  for (const epoch of account.lives.keys()) {
    if (!asked.has(epoch) && !damaged.has(epoch)) return `epoch ${epoch} is not among those named`;
  }
  for (const one of named) {
    const wrong = wrongNumbers(account, one, damaged.has(one.epoch));
    if (wrong !== undefined) return wrong;
  }
  const sound = named.filter(({ epoch }) => !damaged.has(epoch));
  return new Between(account, new Map(sound.map((one) => [one.epoch, one])), order).wrong();
}

/** Numbers neither delivered nor named; of a damaged file more may have come than it knows. */
function wrongNumbers(
  account: StreamAccount,
  { epoch, next, gaps }: Named,
  damaged: boolean,
): string | undefined {
  const known = new Ranges();
  for (const { first, last } of gaps) known.add(first, last);
  for (const sequence of account.lives.get(epoch)?.contents.keys() ?? []) {
    if (sequence >= next && !damaged) return `number ${sequence} came, and the next is ${next}`;
    known.add(sequence, sequence);
  }
  const [hole] = known.missing(0, next - 1);
  if (hole === undefined) return undefined;
  return `numbers ${hole[0]} to ${hole[1]} of epoch ${epoch} have neither come nor been named`;
}

interface Place {
  readonly epoch: number;
  readonly sequence: number;
}

/**
 * Between two that came, as many numbers as were confirmed must be named: which is which nobody
 * can know, since what was refused or not told may have a number or none.
 */
class Between {
  readonly #account: StreamAccount;
  readonly #asked: ReadonlyMap<number, Named>;
  readonly #epochs: readonly number[];

  constructor(account: StreamAccount, asked: ReadonlyMap<number, Named>, order: readonly number[]) {
    this.#account = account;
    this.#asked = asked;
    const mine = new Set([...account.lives.keys(), ...asked.keys()]);
    this.#epochs = order.filter((epoch) => mine.has(epoch));
  }

  wrong(): string | undefined {
    const [first] = this.#epochs;
    let after: Place = { epoch: first ?? 0, sequence: -1 };
    let confirmed = 0;
    let given = 0;
    for (const { outcome, delivered } of this.#account.obligations) {
      if (delivered === undefined) {
        given += 1;
        if (outcome === 'confirmed') confirmed += 1;
        continue;
      }
      const wrong = this.#check(after, delivered, { confirmed, given });
      if (wrong !== undefined) return wrong;
      [after, confirmed, given] = [delivered, 0, 0];
    }
    const latest = this.#epochs.at(-1) ?? 0;
    const end = { epoch: latest, sequence: this.#asked.get(latest)?.next ?? Infinity };
    if (first === undefined) return confirmed > 0 ? 'the gateway does not know it' : undefined;
    return this.#check(after, end, { confirmed, given });
  }

  #check(
    after: Place,
    before: Place,
    { confirmed, given }: { readonly confirmed: number; readonly given: number },
  ): string | undefined {
    const numbers = this.#numbers(after, before);
    const where = `between ${shown(after)} and ${shown(before)}`;
    if (confirmed > numbers) return `${confirmed} were confirmed ${where}, and have not come`;
    if (Number.isFinite(numbers) && numbers > given) {
      return `${numbers} numbers ${where} for ${given} observations`;
    }
    return undefined;
  }

  /** Numbers that were given between two; of an epoch that nobody tells of there may be any. */
  #numbers(after: Place, before: Place): number {
    if (after.epoch === before.epoch) return before.sequence - after.sequence - 1;
    const rest = (this.#asked.get(after.epoch)?.next ?? Infinity) - after.sequence - 1;
    const whole = this.#epochs
      .slice(this.#epochs.indexOf(after.epoch) + 1, this.#epochs.indexOf(before.epoch))
      .reduce((sum, epoch) => sum + (this.#asked.get(epoch)?.next ?? Infinity), 0);
    return rest + whole + before.sequence;
  }
}

function shown({ epoch, sequence }: Place): string {
  return `${sequence} of ${epoch}`;
}
