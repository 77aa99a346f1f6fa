import type { Failure } from '#bytes/failure.ts';
import type { Append, DueEntry, Kept, Opening, Output, Retention, StoreCounts } from './store.ts';

/** What the store's thread is started with. */
export interface ThreadSetting {
  readonly directory: string;
  readonly retention: Retention;
  /** The epoch to take if one begins. */
  readonly newEpoch: number;
  /** better-sqlite3's native add-on, where it does not lie in its package. */
  readonly addonFile?: string;
}

/** What one transaction does; its byte arrays lie one after another in `bytes`. */
export interface Batch {
  readonly appends: readonly BatchAppend[];
  readonly acknowledged: readonly Acknowledged[];
  /** Each append's observation, then the records of its outputs. */
  readonly bytes: ArrayBuffer;
}

export type BatchAppend = Omit<Append, 'observation' | 'outputs'> & {
  readonly length: number;
  readonly outputs: readonly BatchOutput[];
};

export type BatchOutput = Omit<Output, 'records'> & { readonly length: number };

export interface Acknowledged {
  readonly backend: string;
  readonly ids: readonly number[];
}

export interface Page {
  readonly name: string;
  readonly afterId: number;
  readonly limit: number;
}

/** What can be asked of the thread, and what it answers. */
export interface Calls {
  /** Answers with the back-ends that are owed more than before. */
  readonly commit: { readonly ask: Batch; readonly answer: readonly string[] };
  readonly due: { readonly ask: Page; readonly answer: readonly DueEntry[] };
  readonly observations: { readonly ask: Page; readonly answer: readonly Kept[] };
  readonly counts: { readonly ask: undefined; readonly answer: StoreCounts };
  readonly close: { readonly ask: undefined; readonly answer: undefined };
}

export type CallName = keyof Calls;

export type Request = {
  readonly [Name in CallName]: {
    readonly id: number;
    readonly call: Name;
    readonly ask: Calls[Name]['ask'];
  };
}[CallName];

export type Reply =
  | { readonly kind: 'opened'; readonly opening: Opening }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'set-aside'; readonly opening: Opening }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Calls[CallName]['answer'] }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure };
