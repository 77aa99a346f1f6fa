import type { Failure } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { TimeMark } from '#reading/reading.ts';
import type {
  Standing,
  DayTraffic,
  DueEntry,
  DueName,
  Kept,
  NamedGap,
  Opening,
  Output,
  Owed,
  Quarantined,
  Receipt,
  Retention,
  StoreCounts,
  StreamStanding,
  ToldGap,
} from './store.ts';

/** What the store's thread is started with. */
export interface ThreadSetting {
  readonly directory: string;
  /** Of each source at home. */
  readonly retention: Retention;
  /** Of the outbox of each back-end; `outboxRetention` for those not named. */
  readonly outboxes: Readonly<Record<string, Retention>>;
  readonly outboxRetention: Retention;
  /** The epoch to take if one begins. */
  readonly newEpoch: number;
  readonly now: Now;
  /** What a confirmed commit survives; the fsync for a power cut is left out in simulations. */
  readonly outlives: 'power-cut' | 'process';
  /** better-sqlite3's native add-on, where it does not lie in its package. */
  readonly addonFile?: string;
}

/** The moment of a call, which the thread has no clock for. */
export interface Now {
  /** Milliseconds of the monotonic clock. */
  readonly openMs: number;
  /** The wall clock, while it is believed. */
  readonly wallMs?: number;
  /** Present with it. */
  readonly belief?: Belief;
}

/** What the wall clock of a boot says is so much more than what has passed since then. */
export interface Belief {
  readonly boot: string;
  readonly offsetMs: number;
  readonly trust: Trust;
}

/** Of a wall clock that is believed. */
export type Trust = Exclude<TimeMark['trust'], 'untrusted'>;

/** What one transaction does; the bytes of its runs lie one after another in `bytes`. */
export interface Batch {
  readonly now: Now;
  readonly kept: readonly KeptRun[];
  readonly owed: readonly OwedRun[];
  readonly skipped: readonly Skipped[];
  readonly acknowledged: readonly Acknowledged[];
  /** What comes as `acknowledged` later: it must not be dropped as if nobody had it. */
  readonly delivered?: readonly Acknowledged[];
  readonly traffic?: readonly BackendTraffic[];
  /** Those of `kept`, then those of `owed`. */
  readonly bytes: ArrayBuffer;
}

/** Observations of one source (`kept-run.ts`). */
export interface KeptRun {
  readonly source: string;
  /** Of the last observation. */
  readonly takenMs: number;
  readonly count: number;
  readonly readings: number;
  readonly length: number;
  /** As in `Append`. */
  readonly boot: string | undefined;
}

/** Outputs of one stream, records after records. */
export type OwedRun = Omit<Output, 'records'> & {
  /** Of the first observation. */
  readonly takenMs: number;
  readonly count: number;
  readonly length: number;
  /** As in `Append`; with it, `takenMs` of each. */
  readonly boot: string | undefined;
  readonly stamps: readonly number[];
};

/** Outputs that the disk had no room for: they take numbers, which are named as a gap. */
export type Skipped = Pick<OwedRun, 'backend' | 'stream' | 'class' | 'count'>;

export interface Acknowledged {
  readonly backend: string;
  readonly ids: readonly number[];
  readonly awaitReceipt: boolean;
}

export interface BackendTraffic {
  readonly backend: string;
  readonly days: readonly DayTraffic[];
}

/** What back-ends are owed more, by their names. */
export type OwedBy = Readonly<Record<string, Owed>>;

export interface Page {
  readonly name: string;
  readonly afterId: number;
  readonly limit: number;
}

/** Between two entries of a lane. */
export interface LanePlace {
  readonly lane: number;
  readonly afterId: number;
}

/** What a part of receipts has made due again, and where the next part begins. */
export interface Received {
  readonly owed: Owed;
  readonly next?: LanePlace;
}

/** One entry of a back-end's outbox. */
interface EntryAsk {
  readonly backend: string;
  readonly id: number;
  readonly now: Now;
}

/** What can be asked of the thread, and what it answers. */
export interface Calls {
  /** Answers with what back-ends are owed more than before. */
  readonly commit: { readonly ask: Batch; readonly answer: OwedBy };
  readonly due: {
    readonly ask: Page & { readonly class: DeliveryClass; readonly now: Now };
    readonly answer: readonly DueEntry[];
  };
  readonly peek: {
    readonly ask: Page & { readonly class: DeliveryClass };
    readonly answer: readonly DueName[];
  };
  readonly quarantine: {
    readonly ask: EntryAsk & { readonly failure: Failure };
    readonly answer: boolean;
  };
  readonly quarantined: {
    readonly ask: { readonly backend: string; readonly id: number | undefined };
    readonly answer: readonly Quarantined[];
  };
  readonly entry: {
    readonly ask: Omit<EntryAsk, 'now'>;
    readonly answer: DueEntry | undefined;
  };
  readonly resend: { readonly ask: EntryAsk; readonly answer: OwedBy | undefined };
  readonly discard: { readonly ask: EntryAsk; readonly answer: boolean };
  readonly receive: {
    readonly ask: {
      readonly backend: string;
      readonly receipts: readonly Receipt[];
      /** Receipts are taken in parts. */
      readonly from: LanePlace;
      readonly now: Now;
    };
    readonly answer: Received;
  };
  readonly standing: {
    readonly ask: { readonly backend: string; readonly now: Now };
    readonly answer: Standing;
  };
  readonly told: {
    readonly ask: {
      readonly backend: string;
      readonly gaps: readonly ToldGap[];
      readonly now: Now;
    };
    readonly answer: undefined;
  };
  readonly streams: { readonly ask: string; readonly answer: readonly StreamStanding[] };
  readonly traffic: { readonly ask: string; readonly answer: readonly DayTraffic[] };
  readonly observations: {
    /** The newest, where it names none to come after. */
    readonly ask: Omit<Page, 'afterId'> & { readonly afterId?: number };
    readonly answer: readonly Kept[];
  };
  readonly believe: { readonly ask: { readonly now: Now }; readonly answer: undefined };
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
  | { readonly kind: 'named'; readonly gaps: readonly NamedGap[] }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Calls[CallName]['answer'] }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure };
