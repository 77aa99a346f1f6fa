import assert from 'node:assert/strict';
import type { Clock } from '#system/clock.ts';
import { machineClock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { CommitterParts } from './committer.ts';
import type { Now, ThreadSetting } from './messages.ts';
import type { Retention } from './store.ts';
import { COMMIT_DELAY_MS, OUTBOX_RETENTION, RETENTION } from './store.ts';

export interface StoreOptions {
  /** Holds the database; made with mode 0700 if it is not there. */
  readonly directory: string;
  /** Of each source at home. */
  readonly retention?: Retention;
  /** Of each back-end's outbox, by its name. */
  readonly outboxes?: Readonly<Record<string, Retention>>;
  /**
   * An append waits at most this long for others to share its fsync, milliseconds; what is urgent
   * does not. The longer, the less is written to the disk.
   */
  readonly commitDelayMs?: number;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  /** Observations that one entry of the outbox may hold, where not as many as are good. */
  readonly runCountMax?: number;
  /** better-sqlite3's native add-on, where it does not lie in its package: in a bundle. */
  readonly addonFile?: string;
}

/** What the books and what their caller is started with. */
export interface Setting {
  readonly books: ThreadSetting;
  readonly committer: Omit<CommitterParts, 'commit'>;
}

export function settingOf(options: StoreOptions): Setting {
  const { directory, retention = RETENTION, clock = machineClock, addonFile } = options;
  assert.ok(retention.ageMs > 0 && retention.bytes > 0, 'something must be retained');
  const now = (): Now => ({ openMs: clock.monotonic(), ...believed(clock) });
  const books: ThreadSetting = {
    directory,
    retention,
    outboxes: options.outboxes ?? {},
    outboxRetention: OUTBOX_RETENTION,
    newEpoch: newEpoch(clock, options.entropy ?? machineEntropy),
    now: now(),
    outlives: 'power-cut',
    ...(addonFile === undefined ? {} : { addonFile }),
  };
  const { commitDelayMs = COMMIT_DELAY_MS, runCountMax } = options;
  return { books, committer: { clock, now, delayMs: commitDelayMs, runCountMax } };
}

function believed(clock: Clock): Omit<Now, 'openMs'> {
  const { second, nanosecond, trust } = clock.wall();
  if (trust === 'untrusted') return {};
  const wallMs = second * 1000 + Math.floor(nanosecond / 1e6);
  const offsetMs = Math.round(wallMs - clock.monotonic());
  return { wallMs, belief: { boot: clock.boot, offsetMs, trust } };
}

/**
 * Later lives have greater epochs while the clock is right. A clock that stands in the past gives
 * a random number below all right ones instead, so that two lives do not share an epoch.
 */
function newEpoch(clock: Clock, entropy: Entropy): number {
  const { second, trust } = clock.wall();
  return trust === 'untrusted' ? 1 + Math.floor(entropy.fraction() * 2 ** 30) : second;
}
