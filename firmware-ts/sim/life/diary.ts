import { createHash } from 'node:crypto';
import type { Clock } from '#system/clock.ts';

/** Events that a failure is reported with. */
const LAST_MAX = 60;
/** Lines that are hashed together. */
const HASHED_MAX = 256;

/** The first promise that was broken, and what went before it. */
export interface Breach {
  readonly what: string;
  /** Which event it was, counted from 1. */
  readonly event: number;
  readonly last: readonly string[];
}

/** All that happens in a life, in order: two lives of one seed have the same hash. */
export class Diary {
  readonly #clock: Clock;
  readonly #hash = createHash('sha256');
  readonly #last: Line[] = [];
  #unhashed: string[] = [];
  readonly counts = new Map<string, number>();
  events = 0;
  breach: Breach | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `kind` is counted; `detail` is for people, and must follow from the seed like all else. */
  note(kind: string, detail = ''): void {
    this.events += 1;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const atMs = this.#clock.monotonic();
    this.#last.push({ atMs, what: `${kind} ${detail}` });
    if (this.#last.length > LAST_MAX) this.#last.shift();
    this.#unhashed.push(`${atMs} ${kind} ${detail}\n`);
    if (this.#unhashed.length >= HASHED_MAX) this.#hashAll();
  }

  /** The contract is broken; only the first time counts, what follows may follow from it. */
  broken(what: string): void {
    this.note('breach', what);
    this.breach ??= { what, event: this.events, last: this.#last.map(shown) };
  }

  /** Ends the diary. */
  digest(): string {
    this.#hashAll();
    return this.#hash.digest('hex');
  }

  #hashAll(): void {
    this.#hash.update(this.#unhashed.join(''));
    this.#unhashed = [];
  }
}

interface Line {
  readonly atMs: number;
  readonly what: string;
}

const DAY_MS = 86_400_000;

/** `day 12 03:04:05.678`, since the beginning. */
function shown({ atMs, what }: Line): string {
  const day = Math.floor(atMs / DAY_MS);
  const time = new Date(atMs - day * DAY_MS).toISOString().slice(11, 23);
  return `day ${day} ${time} ${what}`;
}
