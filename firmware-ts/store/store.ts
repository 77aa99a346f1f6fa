/**
 * What is kept at home, and what is owed to whom. `append` is confirmed only after the commit has
 * reached the disk; an entry of the outbox is deleted only by `acknowledge`.
 */
export interface Store {
  /** One observation and what it owes, in one transaction. Resolves when durable. */
  append(append: Append): Promise<void>;
  /**
   * What `backend` is owed after the entry `afterId` (0: from the oldest), oldest first, at most
   * `limit` entries. Order within a stream is the order of `append`.
   */
  due(backend: string, afterId: number, limit: number): Promise<readonly DueEntry[]>;
  /** The broker has these; they are forgotten. Resolves when durable. */
  acknowledge(backend: string, ids: readonly number[]): Promise<void>;
  /** Calls `wake` whenever a commit has added entries for `backend`; the result unsubscribes. */
  onDue(backend: string, wake: () => void): () => void;
  counts(): Promise<StoreCounts>;
  /** Commits what was appended, then closes the file. */
  close(): Promise<void>;
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

/** Readings since this start, and what is in the file now. */
export interface StoreCounts {
  readonly sources: Readonly<Record<string, { readonly stored: number }>>;
  readonly backends: Readonly<
    Record<string, { readonly queuedEntries: number; readonly queuedReadings: number }>
  >;
}
