import type { Failure } from '#bytes/failure.ts';
import { DEADLINES_MS, byClass, type DeliveryClass } from '#policy/delivery-class.ts';
import type { DueEntry } from '#store/store.ts';
import { Histogram } from '#system/histogram.ts';
import type { Pack } from './pack.ts';

/** What an uplink has done since it was opened. */
export interface Tally {
  /** Handed to the broker, repeats counted again. */
  readonly readingsSent: number;
  /** Taken over by the broker; each counted once. */
  readonly readingsAcknowledged: number;
  /** The same two by outgoing stream. */
  readonly streams: readonly StreamTally[];
  readonly messagesSent: number;
  readonly bytesSent: number;
  /** How often which refusal came. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Entries whose acknowledgement came after the deadline of their class. */
  readonly missedDeadlines: Readonly<Record<DeliveryClass, number>>;
  /** From the commit of an entry to its acknowledgement; absent before the first. */
  readonly latencyMs?: { readonly p50: number; readonly p99: number };
}

export interface StreamTally {
  readonly stream: string;
  readonly sent: number;
  readonly acknowledged: number;
}

/** A broker may invent reason codes, but there are only 256 of them. */
export class Tallying {
  #readingsSent = 0;
  #readingsAcknowledged = 0;
  readonly #streams = new Map<string, { sent: number; acknowledged: number }>();
  #messagesSent = 0;
  #bytesSent = 0;
  readonly #refusals = new Map<string, number>();
  readonly #missed = new Map<DeliveryClass, number>();
  readonly #latency = new Histogram();

  sent(pack: Pack, bytes: number): void {
    this.#messagesSent += 1;
    this.#bytesSent += bytes;
    const readings = readingsIn(pack.entries);
    this.#readingsSent += readings;
    this.#streamOf(pack.stream).sent += readings;
  }

  /** `nowMs` by the monotonic clock, as `committedMs` is. */
  acknowledged(of: DeliveryClass, entries: readonly DueEntry[], nowMs: number): void {
    this.#readingsAcknowledged += readingsIn(entries);
    for (const { stream, readings, committedMs } of entries) {
      this.#streamOf(stream).acknowledged += readings;
      this.#latency.record(nowMs - committedMs);
      if (nowMs - committedMs > DEADLINES_MS[of]) this.#miss(of);
    }
  }

  refused({ code }: Failure): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  #miss(of: DeliveryClass): void {
    this.#missed.set(of, (this.#missed.get(of) ?? 0) + 1);
  }

  /** Streams are those of the configuration, so there is no end of them to fear. */
  #streamOf(stream: string): { sent: number; acknowledged: number } {
    const known = this.#streams.get(stream);
    if (known !== undefined) return known;
    const counts = { sent: 0, acknowledged: 0 };
    this.#streams.set(stream, counts);
    return counts;
  }

  get value(): Tally {
    const p50 = this.#latency.percentile(0.5);
    const p99 = this.#latency.percentile(0.99);
    return {
      readingsSent: this.#readingsSent,
      readingsAcknowledged: this.#readingsAcknowledged,
      streams: Array.from(this.#streams, ([stream, counts]) => ({ stream, ...counts })),
      messagesSent: this.#messagesSent,
      bytesSent: this.#bytesSent,
      missedDeadlines: byClass((of) => this.#missed.get(of) ?? 0),
      refusals: Object.fromEntries(this.#refusals),
      ...(p50 === undefined || p99 === undefined ? {} : { latencyMs: { p50, p99 } }),
    };
  }
}

function readingsIn(entries: readonly DueEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.readings, 0);
}
