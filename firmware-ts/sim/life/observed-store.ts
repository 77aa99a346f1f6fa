import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { StoreHere } from '#store/here.ts';
import type { Append } from '#store/store.ts';
import type { Obligation } from './account.ts';
import type { SimulatedBackend } from './backend.ts';
import type { BackendName } from './configuration.ts';

export interface StoreEvents {
  /** Something was given to the store, or the store said what became of it. */
  readonly happened: (event: 'append' | 'confirmed' | 'refused') => void;
  readonly confirmed: (backend: BackendName, of: DeliveryClass, obligation: Obligation) => void;
}

/** The same store; what is confirmed becomes an obligation. */
export function observed(
  store: StoreHere,
  backends: ReadonlyMap<string, SimulatedBackend>,
  { happened, confirmed }: StoreEvents,
): StoreHere {
  const append = store.append.bind(store);
  return Object.assign(store, {
    append: async (given: Append): Promise<void> => {
      const owed = given.outputs.flatMap((output) => {
        const backend = backends.get(output.backend);
        if (backend === undefined) return [];
        return [{ backend, of: output.class, obligation: backend.given(output) }];
      });
      happened('append');
      try {
        await append(given);
      } catch (error) {
        for (const { obligation } of owed) obligation.outcome = 'refused';
        happened('refused');
        throw error;
      }
      for (const { backend, of, obligation } of owed) {
        obligation.outcome = 'confirmed';
        confirmed(backend.name, of, obligation);
      }
      happened('confirmed');
    },
  });
}
