import type { StoreHere } from '#store/here.ts';
import type { Quarantined } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Chance } from './chance.ts';
import type { BackendName } from './configuration.ts';
import { BACKENDS } from './configuration.ts';
import type { Diary } from './diary.ts';

const PAUSE_MS = 5 * 86_400_000;

export interface OperatorParts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly diary: Diary;
  readonly process: { readonly store: StoreHere | undefined };
  readonly discarded: (backend: BackendName, entry: Quarantined) => void;
}

/** A person who looks into the quarantine now and then; the result ends it. */
export function startOperator(parts: OperatorParts): () => void {
  const { clock, chance, diary, process, discarded } = parts;
  let over = false;
  const visit = (): void => {
    clock.after(chance.wait(PAUSE_MS), () => {
      if (over) return;
      visit();
      if (process.store === undefined) return;
      // What the store refuses is left for the next visit.
      attend(process.store).catch(() => diary.note('operator.refused'));
    });
  };
  visit();
  return () => {
    over = true;
  };

  async function attend(store: StoreHere): Promise<void> {
    for (const backend of BACKENDS) {
      for (const entry of await store.quarantined(backend)) {
        const { id } = entry;
        const what = chance.pick(['resend', 'discard', 'leave']);
        diary.note(`operator.${what}`, backend);
        if (what === 'resend') await store.resend(backend, id);
        if (what !== 'discard') continue;
        discarded(backend, entry);
        await store.discard(backend, id);
      }
    }
  }
}
