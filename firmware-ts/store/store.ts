import type { Failure } from '#bytes/failure.ts';
import type { GapReason } from '#contract/manifest.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';

/**
 * What is kept at home, and what is owed to whom. `append` is confirmed only after the commit has
 * reached the disk; an entry of the outbox leaves by `acknowledge`, or is dropped and named.
 *
 * Codes of rejections: `disk-full` (of an append; acknowledgements are still taken), `disk-error`,
 * `disk-read-only` (nothing was kept, a later try may succeed), `store-damaged` (likewise; the
 * file has been set aside), `store-busy` (more waits for the disk than may), `store-closed`,
 * `store-died`, `bad-append`.
 */
export interface Store extends Outbox {
  readonly opening: Opening;
  /**
   * One observation and what it owes, in one transaction. Resolves when durable. All bytes are
   * copied before it returns.
   */
  append(append: Append): Promise<void>;
  /** Several in one transaction: all of them are kept, or none, so that none is missing between. */
  appendAll(appends: readonly Append[]): Promise<void>;
  /** Tells the store that the wall clock is believed now; it looks itself with other calls. */
  believe(): Promise<void>;
  /** Calls `report` when a file is found damaged while in use; the result unsubscribes. */
  onSetAside(report: (setAside: SetAside) => void): () => void;
  /** What is kept at home of `source`, oldest first; paged like `due`. */
  observations(source: string, afterId: number, limit: number): Promise<readonly Kept[]>;
  /** The newest of it, at most `limit` and no more than a page holds, oldest first. */
  newest(source: string, limit: number): Promise<readonly Kept[]>;
  counts(): Promise<StoreCounts>;
  /** Settles if the store's thread ends without `close`: nothing can be kept any more. */
  readonly died: Promise<Failure>;
  /** Commits what was appended, then closes the file. */
  close(): Promise<void>;
}

/** What is owed to back-ends, and what became of it. */
export interface Outbox {
  /**
   * What `backend` is owed in `of`, after the entry `afterId` (0: from the oldest), oldest first,
   * at most `limit` entries; fewer come when they are large, none only when there is nothing more.
   * Ids grow for ever; order within a stream is the order of `append`. All records lie in one
   * buffer, which is the caller's to let go of.
   */
  due(
    backend: string,
    of: DeliveryClass,
    afterId: number,
    limit: number,
  ): Promise<readonly DueEntry[]>;
  /** The same by name only: nothing is given out, so that what has no date may still get one. */
  peek(
    backend: string,
    of: DeliveryClass,
    afterId: number,
    limit: number,
  ): Promise<readonly DueName[]>;
  /**
   * The broker has these; they are forgotten, or kept until `receive` if `awaitReceipt`. Unknown
   * ids do nothing. Of a stream the oldest must come first: one that comes before its turn stays
   * due. Resolves when durable: with the next commit, or after a while; `flush` hurries it.
   */
  acknowledge(backend: string, ids: readonly number[], how?: Acknowledgement): Promise<void>;
  /**
   * While the store drops what is old or has no room, the entries that `held` answers count as
   * acknowledged: the broker has them, though not all were told here yet. The result ends that.
   */
  holdDelivered(backend: string, held: () => readonly number[], how: Acknowledgement): () => void;
  /** What went over the link of `backend`, as it was last kept. */
  traffic(backend: string): Promise<readonly DayTraffic[]>;
  /**
   * What `days` answers is kept in place of what was, with commits that happen anyway: a death
   * takes what passed in the last ten seconds, and since the last commit. The result ends that.
   */
  holdTraffic(backend: string, days: () => readonly DayTraffic[]): () => void;
  /** Commits what waits without delay; resolves when it is kept or refused, never rejects. */
  flush(): Promise<void>;
  /** Sets one entry aside and names its numbers as a gap. Resolves when durable. */
  quarantine(backend: string, id: number, failure: Failure): Promise<void>;
  /**
   * What is in quarantine, oldest first; without its records. At most a thousand, or the one of
   * `id`.
   */
  quarantined(backend: string, id?: number): Promise<readonly Quarantined[]>;
  /** One entry with its records, due or in quarantine; `undefined` where `backend` has no such. */
  entry(backend: string, id: number): Promise<DueEntry | undefined>;
  /** Puts an entry in quarantine back among the due; its numbers stay named. */
  resend(backend: string, id: number): Promise<boolean>;
  /** Forgets an entry in quarantine. */
  discard(backend: string, id: number): Promise<boolean>;
  /** The back-end itself has told what it holds: forgets that, and makes the holes due again. */
  receive(backend: string, receipts: readonly Receipt[]): Promise<void>;
  /** Where the streams of `backend` stand, under the next number, for a manifest. */
  standing(backend: string): Promise<Standing>;
  /** The broker has a manifest with these; until then each one is listed again, and kept. */
  told(backend: string, gaps: readonly ToldGap[]): Promise<void>;
  /** The same for people, with the newest gaps: no number of a manifest is taken by it. */
  streams(backend: string): Promise<readonly StreamStanding[]>;
  /** Calls `wake` whenever a commit has added entries for `backend`; the result unsubscribes. */
  onDue(backend: string, wake: (owed: Owed) => void): () => void;
  /** Calls `report` when numbers were named as a gap; the result unsubscribes. */
  onGap(report: (gap: NamedGap) => void): () => void;
}

export interface Acknowledgement {
  readonly awaitReceipt: boolean;
}

/** Bytes both ways over the link of a back-end, in the order in which the days came. */
export interface DayTraffic {
  /** Since 1970, UTC. */
  readonly day: number;
  readonly bytes: number;
}

/** First and last id that a commit has added, by class. */
export type Owed = Readonly<
  Partial<Record<DeliveryClass, { readonly firstId: number; readonly lastId: number }>>
>;

/** What opening found. */
export interface Opening {
  readonly file: string;
  /** Numbers the lives of the sequences: streams new to this file begin in it. */
  readonly epoch: number;
  /** The wall clock when it was last believed, milliseconds. */
  readonly believedMs?: number;
  /** Present when the file found there could not be used. */
  readonly setAside?: SetAside;
}

/** A file that is not ours or not sound has been renamed, never deleted; a new epoch has begun. */
export interface SetAside {
  readonly file: string;
  /** `store-damaged`, `store-foreign` (of another program) or `store-newer` (of a later normd). */
  readonly failure: Failure;
  /** Entries of the outbox that could be read from it and are in the new file. */
  readonly salvagedEntries: number;
  /** Why nothing was, where that is not for want of anything to read. */
  readonly salvageFailure?: Failure;
}

export interface Append {
  readonly source: string;
  /** The observation in its stored form. */
  readonly observation: Uint8Array;
  /** Number of readings in the observation. */
  readonly readings: number;
  /** Wall-clock milliseconds at which the observation was taken; with `boot` those since it. */
  readonly takenMs: number;
  /**
   * While the wall clock is not believed: the boot from which `takenMs` and the gateway's times in
   * the observation count. They become dates when the clock of this boot is believed.
   */
  readonly boot?: string;
  readonly outputs: readonly Output[];
}

/** What one observation owes to one back-end. */
export interface Output {
  readonly backend: string;
  /** Name of the outgoing stream, `[A-Za-z0-9_-]+`; all of a stream has one class. */
  readonly stream: string;
  readonly class: DeliveryClass;
  /** SenML records in CBOR, one after another, without the array around them. */
  readonly records: Uint8Array;
  readonly recordCount: number;
  readonly readings: number;
}

/**
 * A run of outputs as it waits: observations `sequence … sequence + count − 1`, numbered without
 * gaps within (backend, stream, epoch).
 */
export interface DueEntry {
  readonly id: number;
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  /** Of the first observation. */
  readonly takenMs: number;
  /**
   * When it was committed, milliseconds of the monotonic clock; below zero before this boot. By
   * this it ages, however old its observations were (decision 0006, store time).
   */
  readonly committedMs: number;
  readonly records: Uint8Array;
  readonly recordCount: number;
  readonly readings: number;
}

export type DueName = Pick<DueEntry, 'id' | 'stream'>;

export interface Quarantined extends Omit<DueEntry, 'records'> {
  readonly bytes: number;
  readonly code: string;
  readonly message: string;
}

/** What a back-end holds of a stream: all numbers up to `through` but those in `holes`. */
export interface Receipt {
  readonly stream: string;
  readonly epoch: number;
  readonly through: number;
  readonly holes: readonly (readonly [first: number, last: number])[];
}

export interface Gap {
  readonly first: number;
  readonly last: number;
  readonly reason: GapReason;
  /** Wall-clock milliseconds at which it was named; absent while the clock was not believed. */
  readonly wallMs?: number;
}

export interface ListedGap extends Gap {
  /** A broker has acknowledged a manifest with it. */
  readonly told: boolean;
}

/** A gap as a manifest told it. */
export interface ToldGap {
  readonly stream: string;
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
}

export interface NamedGap extends Gap {
  readonly backend: string;
  readonly stream: string;
  readonly epoch: number;
}

export interface Standing {
  /** Counts the asking, over restarts. */
  readonly number: number;
  readonly streams: readonly StreamStanding[];
}

/** Where a stream stands in one epoch. */
export interface StreamStanding {
  readonly stream: string;
  readonly class: DeliveryClass;
  readonly epoch: number;
  /** All numbers up to here are acknowledged or named as gaps; −1 before the first. */
  readonly through: number;
  /** The chain there (decision 0006); absent where it cannot be known. */
  readonly chain?: Uint8Array;
  /** The number of the next observation. */
  readonly next: number;
  /** In order; for a manifest the oldest that none has told and the newest that one has. */
  readonly gaps: readonly ListedGap[];
  /** Gaps that were told and are not listed here. */
  readonly gapsOmitted: number;
  /** Gaps that no manifest has told, and that are not listed here either. */
  readonly gapsToCome: number;
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
  readonly backends: Readonly<Record<string, QueueCounts>>;
}

export interface QueueCounts {
  /** Due, awaiting a receipt or in quarantine. */
  readonly queuedEntries: number;
  readonly queuedReadings: number;
  readonly queuedBytes: number;
  /** Of them in quarantine. */
  readonly quarantinedEntries: number;
  /** When the oldest that is due was taken; absent where nothing is, or it has no date yet. */
  readonly oldestMs?: number;
  /** Of each class what is due. */
  readonly lanes: Readonly<Record<DeliveryClass, LaneCounts>>;
}

export interface LaneCounts {
  readonly entries: number;
  /** Of the oldest, as in `DueEntry`; absent where nothing is due. */
  readonly committedMs?: number;
}

/** How long and how much is kept: of each source at home, of each back-end in the outbox. */
export interface Retention {
  readonly ageMs: number;
  readonly bytes: number;
}

/** To a broker are 100 ms, and a power cut takes no more than this. */
export const COMMIT_DELAY_MS = 10;

/** Two months, for bills and complaints; 256 MiB hold that of a meter which pushes every 5 s. */
export const RETENTION: Retention = { ageMs: 62 * 86_400_000, bytes: 256 << 20 };

/** Half a year of a broker that nobody misses; what a house sends in that time is some 50 MB. */
export const OUTBOX_RETENTION: Retention = { ageMs: 183 * 86_400_000, bytes: 256 << 20 };
