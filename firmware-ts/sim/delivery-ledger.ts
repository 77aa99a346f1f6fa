import { decodePack } from '#reading/senml-decode.ts';

/** What a back-end can prove from content keys alone. Counts are of observations. */
export interface Deliveries {
  readonly received: number;
  /** Numbers that were skipped: something was lost or came out of order. */
  readonly missing: number;
  /** Numbers that came again: at-least-once delivery does this after a cut. */
  readonly repeated: number;
  /** Payloads that could not be read. */
  readonly unreadable: number;
}

const STORED_TOPIC = /^nd\/1\/[\w-]+\/up\/[\w-]+$/;

/** Keeps account of what a broker was given. Bounded: one number for each stream. */
export class DeliveryLedger {
  readonly #next = new Map<string, number>();
  readonly #counts = { received: 0, missing: 0, repeated: 0, unreadable: 0 };

  add(topic: string, payload: Uint8Array): void {
    if (!STORED_TOPIC.test(topic)) return;
    try {
      const { key } = decodePack(payload);
      if (key === undefined) this.#counts.unreadable += 1;
      else this.#account(`${key.stream}/${key.epoch}`, key.sequence, key.count);
    } catch {
      // Anything that is no pack counts, whatever the reason.
      this.#counts.unreadable += 1;
    }
  }

  deliveries(): Deliveries {
    return { ...this.#counts };
  }

  #account(life: string, sequence: number, count: number): void {
    const next = this.#next.get(life) ?? 0; // each life of a stream begins at 0
    const end = sequence + count;
    this.#counts.missing += Math.max(0, sequence - next);
    this.#counts.repeated += Math.min(count, Math.max(0, next - sequence));
    this.#counts.received += Math.max(0, end - Math.max(next, sequence));
    this.#next.set(life, Math.max(next, end));
  }
}
