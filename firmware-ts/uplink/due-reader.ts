import { failureOf } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { DueEntry } from '#store/store.ts';
import type { DeliveryParts } from './delivery-parts.ts';

/** Reads single entries again; a store that does not answer ends the session. */
export class DueReader {
  readonly #parts: Pick<DeliveryParts, 'store' | 'backend' | 'session'>;

  constructor(parts: Pick<DeliveryParts, 'store' | 'backend' | 'session'>) {
    this.#parts = parts;
  }

  /** The entry `id`; `undefined` when it is due no more. */
  async entry(of: DeliveryClass, id: number): Promise<DueEntry | undefined> {
    const [entry] = await this.from(of, id, 1);
    return entry?.id === id ? entry : undefined;
  }

  /** What is due from the entry `firstId` on, at most `limit` entries. */
  async from(of: DeliveryClass, firstId: number, limit: number): Promise<readonly DueEntry[]> {
    const { store, backend, session } = this.#parts;
    try {
      return await store.due(backend, of, firstId - 1, limit);
    } catch (error) {
      session.abort(failureOf(error));
      return [];
    }
  }
}
