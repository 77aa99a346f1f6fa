import type { Entropy } from '#system/entropy.ts';

/** What may be spent at once after a pause, in seconds of the rate. */
const BURST_S = 2;
/** A pack must fit into a burst, or it would never go. */
const BURST_BYTES_MIN = 4096;
/** After a long outage a thousand gateways begin their backlogs over so long a time. */
const BACKLOG_SPREAD_MS = 60_000;
/** What a shorter outage has left is sent as quickly as it would take to wait. */
const OUTAGE_MS = 30_000;

/** Gateways that got their power back together dial over so long a time for the first time. */
const BOOT_SPREAD_MS = 30_000;
/** For so long after its boot a machine may be one of many. */
const BOOT_MS = 120_000;

/** The cap of a metered link: so many bytes in a second, in the long run. Times are monotonic. */
export interface Budget {
  /** Milliseconds until the next bytes may go; 0: now. */
  waitMs(nowMs: number): number;
  /** These bytes have gone. What is urgent goes without asking; all that follows pays for it. */
  spend(bytes: number, nowMs: number): void;
}

export const UNLIMITED: Budget = { waitMs: () => 0, spend: () => undefined };

/**
 * A token bucket that may be overdrawn by one message, so that a message of any size passes. In
 * no span of time more than the rate, one burst and one message go, urgent ones apart.
 */
export function budgetOf(bytesPerSecond: number): Budget {
  const burst = Math.max(BURST_BYTES_MIN, bytesPerSecond * BURST_S);
  let tokens = burst;
  let filledMs: number | undefined;
  const fill = (nowMs: number): void => {
    const passedMs = Math.max(0, nowMs - (filledMs ?? nowMs));
    tokens = Math.min(burst, tokens + (passedMs * bytesPerSecond) / 1000);
    filledMs = nowMs;
  };
  return {
    waitMs(nowMs) {
      fill(nowMs);
      return tokens > 0 ? 0 : Math.ceil(((1 - tokens) * 1000) / bytesPerSecond);
    },
    spend(bytes, nowMs) {
      fill(nowMs);
      tokens -= bytes;
    },
  };
}

/**
 * How long the backlog waits after a session has begun, in milliseconds; what is new or urgent
 * waits for nothing. It is at random up to the length of the outage, since all who were cut off
 * together return together. After a start there was no outage, and nothing waits.
 */
export function backlogDelayMs(outageMs: number, entropy: Pick<Entropy, 'fraction'>): number {
  return outageMs < OUTAGE_MS ? 0 : entropy.fraction() * Math.min(outageMs, BACKLOG_SPREAD_MS);
}

/** How long the first dial waits on a machine that booted `upMs` ago. */
export function firstDialDelayMs(upMs: number, entropy: Pick<Entropy, 'fraction'>): number {
  return upMs < BOOT_MS ? entropy.fraction() * BOOT_SPREAD_MS : 0;
}
