import type { Failure } from '#bytes/failure.ts';
import type { ReadingStatus } from './status.ts';

/** The answer of `GET /v1/outbox`: what waits for each back-end. It holds no secret. */
export interface OutboxStatus {
  readonly backends: readonly BackendOutbox[];
}

export interface BackendOutbox {
  readonly name: string;
  /** Due, awaiting a receipt or in quarantine; bytes as they lie in the file. */
  readonly entries: number;
  readonly readings: number;
  readonly bytes: number;
  /** When the oldest that is due was taken; absent where nothing is. ISO 8601, UTC. */
  readonly oldest?: string;
  readonly streams: readonly StreamOutbox[];
  /** The oldest of them, some hundreds. */
  readonly quarantined: readonly QuarantinedStatus[];
  /** Those behind them; they are listed when the ones before are sent again or discarded. */
  readonly quarantinedOmitted: number;
}

/** Where a stream stands, as a manifest tells it. */
export interface StreamOutbox {
  readonly stream: string;
  readonly class: string;
  readonly epoch: number;
  /** All numbers up to here are acknowledged or named as gaps; −1 before the first. */
  readonly through: number;
  /** The number of the next observation. */
  readonly next: number;
  /** The newest, at most `GAPS_LISTED_MAX`. */
  readonly gaps: readonly GapStatus[];
  readonly gapsOmitted: number;
}

export interface GapStatus {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  /** When it was named; absent while the clock was not believed. */
  readonly at?: string;
}

/** A store lists hundreds of each stream; a listing is for people, and a manifest has them all. */
export const GAPS_LISTED_MAX = 16;

/** What the broker refuses for what it is: observations `sequence … sequence + count − 1`. */
export interface QuarantinedStatus {
  readonly id: number;
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly readings: number;
  readonly bytes: number;
  /** When the first observation was taken. */
  readonly taken: string;
  /** Why it was set aside. */
  readonly code: string;
  readonly message: string;
}

/** The answer of `GET /v1/outbox/{backend}/{id}`. */
export interface EntryStatus {
  readonly backend: string;
  readonly entry: QuarantinedStatus;
  /** What is in it, at most `VALUES_MAX`. */
  readonly values: readonly ReadingStatus[];
  readonly valuesOmitted: number;
  /** Why nothing more could be read from it. */
  readonly failure?: Failure;
}

/** An answer of some hundreds of kilobytes; an entry is rarely larger. */
export const VALUES_MAX = 4096;

/** What can be done to an entry in quarantine: `POST /v1/outbox/{backend}/{id}/{action}`. */
export type EntryAction = 'resend' | 'discard';

/** The answer to it. */
export interface EntryDone {
  readonly backend: string;
  readonly id: number;
  readonly done: EntryAction;
}
