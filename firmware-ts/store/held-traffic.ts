import type { BackendTraffic, Now } from './messages.ts';
import type { DayTraffic } from './store.ts';

/** It changes with each message, and would cost each commit a page. */
const KEPT_EVERY_MS = 10_000;

/** Who tells what went over links, for commits to take along. */
export class HeldTraffic {
  readonly #holders = new Set<() => BackendTraffic>();
  #takenMs = -Infinity;

  hold(backend: string, days: () => readonly DayTraffic[]): () => void {
    const holder = (): BackendTraffic => ({ backend, days: days() });
    this.#holders.add(holder);
    return () => this.#holders.delete(holder);
  }

  /** What the present commit takes along; nothing for a while after one that took some. */
  take({ openMs }: Now): readonly BackendTraffic[] {
    if (openMs < this.#takenMs + KEPT_EVERY_MS) return [];
    this.#takenMs = openMs;
    return Array.from(this.#holders, (holder) => holder());
  }
}
