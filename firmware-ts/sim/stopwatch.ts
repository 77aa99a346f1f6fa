import { setTimeout as sleep } from 'node:timers/promises';

/** Waiting that Ctrl-C, a termination, or a reader who has gone ends early. */
export class Stopwatch {
  readonly #start = performance.now();
  readonly #interruption = new AbortController();

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => this.#interruption.abort());
    }
    process.stdout.on('error', () => this.#interruption.abort()); // as in `npm start | head`
  }

  get elapsedMs(): number {
    return performance.now() - this.#start;
  }

  get interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  async pause(durationMs: number): Promise<void> {
    const { signal } = this.#interruption;
    await sleep(Math.max(0, durationMs), undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Asks until there is an answer; `undefined` once `limitMs` have passed. */
  async until<T>(
    limitMs: number,
    intervalMs: number,
    ask: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const end = this.elapsedMs + limitMs;
    while (this.elapsedMs < end) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await sleep(intervalMs);
    }
    return undefined;
  }
}
