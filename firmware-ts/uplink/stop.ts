import type { Clock } from '#system/clock.ts';

/** A request to end, and waiting that heeds it. It leaves nothing behind on what it waits for. */
export class Stop {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get requested(): boolean {
    return this.#controller.signal.aborted;
  }

  request(): void {
    this.#controller.abort();
  }

  /** Waits for `event` or for the request. */
  async or(event: Promise<unknown>): Promise<void> {
    const { signal } = this;
    const stop = Promise.withResolvers<undefined>();
    const wake = (): void => stop.resolve(undefined);
    signal.addEventListener('abort', wake, { once: true });
    if (signal.aborted) wake();
    await Promise.race([event, stop.promise]);
    signal.removeEventListener('abort', wake);
  }

  /** Waits so long, or until the request; without a timer where only that can end it. */
  async sleep(clock: Clock, durationMs: number): Promise<void> {
    if (durationMs === Infinity) return this.or(new Promise(() => undefined));
    const over = Promise.withResolvers<undefined>();
    const cancel = clock.after(durationMs, () => over.resolve(undefined));
    await this.or(over.promise);
    cancel();
  }
}

/** Waits for the first of `events`, at most `limitMs`. */
export async function within(
  clock: Clock,
  limitMs: number,
  events: readonly Promise<unknown>[],
): Promise<void> {
  const timeout = Promise.withResolvers<undefined>();
  const cancel = clock.after(limitMs, () => timeout.resolve(undefined));
  await Promise.race([...events, timeout.promise]);
  cancel();
}
