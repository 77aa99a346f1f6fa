/** First and last number, both included. */
export type Range = readonly [from: number, through: number];

/** A set of numbers as ranges, in order and apart: what arrives in order is one range. */
export class Ranges {
  readonly #list: Range[] = [];

  get list(): readonly Range[] {
    return this.#list;
  }

  /** How many numbers are in it. */
  get size(): number {
    return countOf(this.#list);
  }

  /** The highest number, or -1. */
  get last(): number {
    return this.#list.at(-1)?.[1] ?? -1;
  }

  add(from: number, through: number): void {
    const first = this.#indexAt(from - 1);
    let after = first;
    let [low, high] = [from, through];
    for (; after < this.#list.length; after += 1) {
      const [start, end] = this.#list[after] ?? [Infinity, Infinity];
      if (start > through + 1) break;
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
    this.#list.splice(first, after - first, [low, high]);
  }

  /** Takes the lowest range out. */
  shift(): Range | undefined {
    return this.#list.shift();
  }

  has(number: number): boolean {
    return this.at(number) !== undefined;
  }

  /** The range that `number` is in. */
  at(number: number): Range | undefined {
    const range = this.#list[this.#indexAt(number)];
    return range !== undefined && range[0] <= number ? range : undefined;
  }

  /** What of `from … through` is not in it. */
  missing(from: number, through: number): readonly Range[] {
    const parts: Range[] = [];
    let next = from;
    for (let at = this.#indexAt(from); next <= through && at < this.#list.length; at += 1) {
      const [start, end] = this.#list[at] ?? [Infinity, Infinity];
      if (start > next) parts.push([next, Math.min(start - 1, through)]);
      next = Math.max(next, end + 1);
    }
    if (next <= through) parts.push([next, through]);
    return parts;
  }

  /** Index of the first range that ends at `number` or later. */
  #indexAt(number: number): number {
    let [low, high] = [0, this.#list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#list[middle]?.[1] ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, through]) => sum + through - from + 1, 0);
}
