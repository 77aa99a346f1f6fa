import type { Failure } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { JsonScalar } from '#reading/json.ts';
import type { Quality, TimeMark } from '#reading/reading.ts';

/** The answer of `GET /v1/status`: what normd is doing now. It holds no secret. */
export interface GatewayStatus {
  readonly version: string;
  readonly gateway: string;
  readonly startedAt: string; // ISO 8601, UTC
  readonly clock: { readonly time: string; readonly trust: TimeMark['trust'] };
  readonly sources: readonly SourceStatus[];
  readonly backends: readonly BackendStatus[];
}

export interface SourceStatus {
  readonly name: string;
  readonly protocol: string;
  readonly link: LinkStatus;
  /** Readings since this start: given by the device, durably stored. */
  readonly taken: number;
  readonly stored: number;
  /** Readings that the store refused: the disk is full or broken. */
  readonly refused: number;
  /** Pieces of input that were no good since this start. */
  readonly discarded: number;
  /** Of a meter that is asked: what it refused in the last reading, by object. */
  readonly refusedObjects?: Readonly<Record<string, Failure>>;
  /** Of a meter whose clock is looked at. */
  readonly meterClock?: MeterClockStatus;
  /** The readings of the newest observation, at most `LAST_READINGS_MAX`. */
  readonly lastReadings: readonly ReadingStatus[];
}

export interface MeterClockStatus {
  readonly checkedAt: string; // ISO 8601, UTC
  /** Seconds that the meter is ahead of the gateway, after it was set. */
  readonly offsetS?: number;
  /** It was set at the last check, by so many seconds. */
  readonly setByS?: number;
  /** It is too wrong, or could not be looked at or set. */
  readonly failure?: Failure;
}

/** A PMU has hundreds of channels; a status is for people. */
export const LAST_READINGS_MAX = 64;

export interface LinkStatus {
  /** `resting`: a meter that is asked, between two of its slots. */
  readonly state: 'waiting' | 'up' | 'resting' | 'ended';
  readonly peer?: string;
  readonly failure?: Failure;
}

/** A reading in JSON, to the precision of its source. */
export interface ReadingStatus {
  readonly object: string;
  readonly value: JsonScalar;
  readonly unit: string;
  readonly time: string; // ISO 8601, UTC
  readonly quality: readonly Quality[];
}

export interface BackendStatus {
  readonly name: string;
  readonly state: 'connecting' | 'online' | 'waiting' | 'stopped';
  /** The broker in use, or being dialled. */
  readonly broker?: string;
  /** Why it waits: a failure, or the schedule; and for how long, from the last change of state. */
  readonly failure?: Failure;
  readonly retryMs?: number;
  /** Of the last lost connection; it stays after the next success. */
  readonly lastFailure?: Failure;
  /** Readings in the outbox now; sent and acknowledged since this start. */
  readonly queued: number;
  readonly sent: number;
  readonly acknowledged: number;
  /** The same by outgoing stream, which has the name of its source. */
  readonly streams: readonly StreamStatus[];
  /** Streams that the broker refuses at present, and why. */
  readonly refusedStreams: Readonly<Record<string, Failure>>;
  /** The classes, urgent first: what of each waits, and what came too late. */
  readonly lanes: readonly LaneStatus[];
  /** From an entry's commit to its acknowledgement; null before the first. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
  /** Readings that a deadband held back from it since this start: they are at home only. */
  readonly heldBack: number;
  /** Messages in flight and how many may be, with a session. */
  readonly window?: { readonly messages: number; readonly messagesMax: number };
  readonly traffic: TrafficStatus;
  /** What is told on `ev`; dropped are those that were too many, or refused for what they are. */
  readonly events: { readonly waiting: number; readonly sent: number; readonly dropped: number };
  /** Where the back-end itself confirms. */
  readonly receipts?: ReceiptsStatus;
  readonly outbox: OutboxCounts;
}

export interface LaneStatus {
  readonly class: DeliveryClass;
  /** From the commit to the broker's acknowledgement; null: whenever nothing else waits. */
  readonly deadlineMs: number | null;
  /** Entries that are due. */
  readonly queued: number;
  /** For how long the oldest of them has been in the outbox; absent where nothing is due. */
  readonly oldestAgeMs?: number;
  /** Entries that were acknowledged after their deadline, since this start. */
  readonly missedDeadlines: number;
}

export interface ReceiptsStatus {
  readonly taken: number;
  /** Have come, and are taken soon. */
  readonly waiting: number;
  /** Receipts that could not be taken, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** For how long something has been waiting for the next one. */
  readonly awaitedMs?: number;
  /** That is for more than an hour. */
  readonly overdue: boolean;
  /** The broker does not let the gateway listen. */
  readonly failure?: Failure;
}

/** What waits, and what will not come. */
export interface OutboxCounts {
  readonly entries: number;
  readonly bytes: number;
  /** When the oldest that is due was taken; absent where nothing is. */
  readonly oldest?: string;
  /** Entries that the broker refuses for what they are; `normctl outbox` shows them. */
  readonly quarantined: number;
  /** Observations that were named as gaps since this start, by reason. */
  readonly gaps: Readonly<Record<string, number>>;
}

/** Bytes on the wire, TLS included; since this start unless said. */
export interface TrafficStatus {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Both ways, since midnight UTC; while no clock is believed since this start. */
  readonly bytesToday: number;
  /** The same of the last days on which normd ran, newest last. */
  readonly days: readonly { readonly day: string; readonly bytes: number }[];
  /** Both ways, for each reading that was acknowledged; null before the first. */
  readonly bytesPerReading: number | null;
}

export interface StreamStatus {
  readonly stream: string;
  readonly sent: number;
  readonly acknowledged: number;
}
