import type { Failure } from '#bytes/failure.ts';

/**
 * What is kept at home, and what is owed to whom. `append` is confirmed only after the commit has
 * reached the disk; an entry of the outbox is deleted only by `acknowledge`.
 *
 * Codes of rejections: `disk-full` (of an append; acknowledgements are still taken), `disk-error`,
 * `disk-read-only` (nothing was kept, a later try may succeed), `store-damaged` (likewise; the file
 * has been set aside), `store-busy` (more waits for the disk than may), `store-closed`,
 * `store-died`, `bad-append`.
 */
export interface Store {
  readonly opening: Opening;
  /**
   * One observation and what it owes, in one transaction. Resolves when durable. All bytes are
   * copied before it returns.
   */
  append(append: Append): Promise<void>;
  /**
   * What `backend` is owed after the entry `afterId` (0: from the oldest), oldest first, at most
   * `limit` entries; fewer come when they are large, none only when there is nothing more. Ids
   * grow for ever; order within a stream is the order of `append`.
   */
  due(backend: string, afterId: number, limit: number): Promise<readonly DueEntry[]>;
  /** The broker has these; they are forgotten. Unknown ids do nothing. Resolves when durable. */
  acknowledge(backend: string, ids: readonly number[]): Promise<void>;
  /** Calls `wake` whenever a commit has added entries for `backend`; the result unsubscribes. */
  onDue(backend: string, wake: () => void): () => void;
  /** Calls `report` when a file is found damaged while in use; the result unsubscribes. */
  onSetAside(report: (setAside: SetAside) => void): () => void;
  /** What is kept at home of `source`, oldest first; paged like `due`. */
  observations(source: string, afterId: number, limit: number): Promise<readonly Kept[]>;
  counts(): Promise<StoreCounts>;
  /** Settles if the store's thread ends without `close`: nothing can be kept any more. */
  readonly died: Promise<Failure>;
  /** Commits what was appended, then closes the file. */
  close(): Promise<void>;
}

/** What opening found. */
export interface Opening {
  readonly file: string;
  /** Numbers the lives of the sequences: streams new to this file begin in it. */
  readonly epoch: number;
  /** Present when the file found there could not be used. */
  readonly setAside?: SetAside;
}

/** A file that is not ours or not sound has been renamed, never deleted; a new epoch has begun. */
export interface SetAside {
  readonly file: string;
  /** `store-damaged`, `store-foreign` (of another program) or `store-newer` (of a later normd). */
  readonly failure: Failure;
}

export interface Append {
  readonly source: string;
  /** The observation in its stored form. */
  readonly observation: Uint8Array;
  /** Number of readings in the observation. */
  readonly readings: number;
  /** Wall-clock milliseconds at which the observation was taken. */
  readonly takenMs: number;
  readonly outputs: readonly Output[];
}

/** What one observation owes to one back-end. */
export interface Output {
  readonly backend: string;
  /** Name of the outgoing stream, `[A-Za-z0-9_-]+`. */
  readonly stream: string;
  /** SenML records in CBOR, one after another, without the array around them. */
  readonly records: Uint8Array;
  readonly recordCount: number;
  readonly readings: number;
}

/** One observation's output as it waits; numbered without gaps within (backend, stream, epoch). */
export interface DueEntry {
  readonly id: number;
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly takenMs: number;
  readonly records: Uint8Array;
  readonly recordCount: number;
  readonly readings: number;
}

/** An observation of the local raw store. */
export interface Kept {
  readonly id: number;
  readonly takenMs: number;
  readonly readings: number;
  readonly observation: Uint8Array;
}

/** Readings since this start, and what is in the file now. */
export interface StoreCounts {
  readonly sources: Readonly<Record<string, { readonly stored: number }>>;
  readonly backends: Readonly<
    Record<string, { readonly queuedEntries: number; readonly queuedReadings: number }>
  >;
}

/** How long and how much of each source is kept at home. */
export interface Retention {
  readonly ageMs: number;
  readonly bytes: number;
}

/** Two months, for bills and complaints; 256 MiB hold that of a meter which pushes every 5 s. */
export const RETENTION: Retention = { ageMs: 62 * 86_400_000, bytes: 256 << 20 };
