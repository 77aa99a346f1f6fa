import type { StoreHere } from '#store/here.ts';
import type { Append } from '#store/store.ts';
import type { Obligations } from './obligations.ts';

export interface StoreEvents {
  /** Something was given to the store, or the store said what became of it. */
  readonly happened: (event: 'append' | 'confirmed' | 'refused') => void;
}

/** The same store; what is confirmed becomes an obligation. */
export function observed(
  store: StoreHere,
  backends: ReadonlyMap<string, Obligations>,
  { happened }: StoreEvents,
): StoreHere {
  const append = store.append.bind(store);
  return Object.assign(store, {
    append: async (given: Append): Promise<void> => {
      const obligations = given.outputs.flatMap((output) => {
        const obligation = backends.get(output.backend)?.given(output);
        return obligation === undefined ? [] : [obligation];
      });
      happened('append');
      try {
        await append(given);
      } catch (error) {
        for (const obligation of obligations) obligation.outcome = 'refused';
        happened('refused');
        throw error;
      }
      for (const obligation of obligations) obligation.outcome = 'confirmed';
      happened('confirmed');
    },
  });
}
