import type { Store } from '#store/store.ts';

/** Deletes what the broker has; what comes while the store writes goes with its next commit. */
export class Acknowledger {
  readonly #store: Store;
  readonly #backend: string;
  readonly #failed: (error: unknown) => void;
  #ids: number[] = [];
  #writing: Promise<void> | undefined;

  constructor(store: Store, backend: string, failed: (error: unknown) => void) {
    this.#store = store;
    this.#backend = backend;
    this.#failed = failed;
  }

  add(ids: readonly number[]): void {
    this.#ids.push(...ids);
    this.#writing ??= this.#write();
  }

  /** Settles when all that was added is durable, or `failed` has been called. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#ids.length > 0) {
        const ids = this.#ids;
        this.#ids = [];
        await this.#store.acknowledge(this.#backend, ids);
      }
    } catch (error) {
      this.#failed(error); // the entries stay due and are sent again: recognisable repeats
    } finally {
      this.#writing = undefined;
    }
  }
}
