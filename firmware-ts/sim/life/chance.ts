import type { Entropy } from '#system/entropy.ts';

/**
 * Draws from one seed (mulberry32). `fork` begins a sequence of its own, so that one draw more in
 * one part of a world changes nothing in another.
 */
export class Chance implements Entropy {
  readonly #seed: string;
  #state: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = hashOf(seed);
  }

  fork(name: string): Chance {
    return new Chance(`${this.#seed}/${name}`);
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  between(least: number, most: number): number {
    return Math.round(least + this.fraction() * (most - least));
  }

  /** As often a second as a week: uniform in the logarithm. */
  widely(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.fraction());
  }

  /** Waiting time of events that know nothing of each other. */
  wait(meanMs: number): number {
    return Math.round(-Math.log(1 - this.fraction()) * meanMs);
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
