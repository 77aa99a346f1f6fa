import { Backoff, type BackoffLimits } from '#link/backoff.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { Lane } from './lane.ts';
import type { Refused } from './send-queue.ts';

/** Between retries of a refused stream: rights and quotas are mended by people. */
const REFUSAL_BACKOFF: BackoffLimits = { firstMs: 1000, capMs: 300_000 };

export interface RetriesParts {
  readonly backend: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** When streams that a broker refuses are tried again: less and less often, for ever. */
export class Retries {
  readonly #parts: RetriesParts;
  readonly #retry: (lane: Lane, stream: string, id: number) => Promise<void>;
  readonly #backoffs = new Map<string, Backoff>();
  readonly #timers = new Set<() => void>();

  constructor(
    parts: RetriesParts,
    retry: (lane: Lane, stream: string, id: number) => Promise<void>,
  ) {
    this.#parts = parts;
    this.#retry = retry;
  }

  later(lane: Lane, stream: string, { failure, id }: Refused): void {
    const { clock, entropy, log, backend } = this.#parts;
    const backoff = this.#backoffs.get(stream) ?? new Backoff(entropy, REFUSAL_BACKOFF);
    this.#backoffs.set(stream, backoff);
    const retryMs = Math.round(backoff.next());
    const cancel = clock.after(retryMs, () => {
      this.#timers.delete(cancel);
      void this.#retry(lane, stream, id);
    });
    this.#timers.add(cancel);
    const { code, message } = failure;
    log('warning', 'uplink.refused', { backend, stream, code, message, retryMs });
  }

  /** The next refusal is a first one again. */
  forget(stream: string): void {
    this.#backoffs.delete(stream);
  }

  end(): void {
    for (const cancel of this.#timers) cancel();
  }
}
