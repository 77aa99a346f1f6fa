import { Ranges } from '#contract/ranges.ts';
import type { StreamAccount } from './account.ts';
import type { Diary } from './diary.ts';

/** Numbers of a stream in one epoch. */
export interface Numbers {
  readonly stream: string;
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
}

interface Lost {
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
}

/**
 * What a back-end lost after its broker had acknowledged it. With receipts (decision 0006) it must
 * come again, unless the gateway may have let go of it meanwhile.
 */
export class Losses {
  readonly #backend: string;
  readonly #diary: Diary;
  readonly #open = new Map<string, Lost>();
  readonly #forgone = new Map<string, Ranges>();
  readonly #streams = new Set<string>();

  constructor(backend: string, diary: Diary) {
    this.#backend = backend;
    this.#diary = diary;
  }

  lose({ stream, epoch, first, last }: Numbers, has: (sequence: number) => boolean): void {
    this.#streams.add(keyOf(stream, epoch));
    for (let sequence = first; sequence <= last; sequence += 1) {
      if (!has(sequence))
        this.#open.set(keyOf(stream, epoch, sequence), { stream, epoch, sequence });
    }
  }

  /** They came, the lost ones again; of what came as a copy nobody asks for more. */
  came({ stream, epoch, first, last }: Numbers, lane: 'up' | 'lv'): void {
    if (this.#open.size === 0) return;
    for (let sequence = first; sequence <= last; sequence += 1) {
      if (!this.#open.has(keyOf(stream, epoch, sequence))) continue;
      if (lane === 'lv') this.forgo((lost) => lost.stream === stream && lost.sequence === sequence);
      else this.#fill(stream, epoch, sequence);
    }
  }

  /** Whether it was lost, and comes late or never. */
  has(stream: string, epoch: number, sequence: number): boolean {
    const lost = this.#open.has(keyOf(stream, epoch, sequence));
    return lost || this.forgoneOf(stream, epoch).has(sequence);
  }

  /** The gateway may have let go of these; of all that are open unless it is said which. */
  forgo(which: (lost: Lost) => boolean = () => true): void {
    for (const [key, lost] of [...this.#open]) {
      if (!which(lost)) continue;
      this.#open.delete(key);
      const streamKey = keyOf(lost.stream, lost.epoch);
      const known = this.#forgone.get(streamKey) ?? new Ranges();
      this.#forgone.set(streamKey, known);
      known.add(lost.sequence, lost.sequence);
      this.#diary.note('receipt.forgone', `${this.#backend}/${lost.stream} ${lost.sequence}`);
    }
  }

  /** Whether anything of it was ever lost. */
  had(stream: string, epoch: number): boolean {
    return this.#streams.has(keyOf(stream, epoch));
  }

  forgoneOf(stream: string, epoch: number): Ranges {
    return this.#forgone.get(keyOf(stream, epoch)) ?? new Ranges();
  }

  /**
   * The first that should have come again. A receipt tells what is missing below what it has:
   * what nothing came after is no hole yet.
   */
  missing(streams: ReadonlyMap<string, StreamAccount>): Lost | undefined {
    return [...this.#open.values()].find(({ stream, epoch, sequence }) => {
      const last = streams.get(stream)?.lives.get(epoch)?.last ?? -1;
      return sequence < last;
    });
  }

  #fill(stream: string, epoch: number, sequence: number): void {
    this.#open.delete(keyOf(stream, epoch, sequence));
    this.#diary.note('receipt.hole-filled', `${this.#backend}/${stream} ${sequence}`);
  }
}

function keyOf(...parts: readonly (string | number)[]): string {
  return parts.join('/');
}
