import { setTimeout as pause } from 'node:timers/promises';
import type { Study } from './bench.ts';
import { emptyFolder, filledFolder, NOBODY, QUEUED_READINGS } from './filled.ts';
import { percentile } from './figures.ts';
import { sharedMs } from './load.ts';
import { startReceiver, type Receiver } from './receiver.ts';
import { Sender } from './senders.ts';

const SETTLE_MS = 3_000;
const SAMPLE_MS = 50;
/** Live observations go to streams that have a backlog, so that their copies must overtake it. */
const LIVE = { streams: 10, perSecond: 100, readings: [10, 10], stamped: true } as const;
const LIVE_SECONDS = 5;

/** Resident memory of a sender that has settled, in MiB. */
async function settledMiB(sender: Sender): Promise<number> {
  await sender.opened;
  await pause(SETTLE_MS);
  return sender.residentMiB();
}

async function queuedMiB(): Promise<number> {
  const sender = new Sender(await filledFolder(), NOBODY);
  const residentMiB = await settledMiB(sender);
  await sender.kill();
  return residentMiB;
}

/** Without a backlog: idle, and the most while the same live observations come. */
async function withoutBacklog(): Promise<{ readonly idleMiB: number; readonly liveMiB: number }> {
  const receiver = await startReceiver();
  const sender = new Sender(emptyFolder(), receiver.url);
  const idleMiB = await settledMiB(sender);
  const peakMiB = watchPeak(sender);
  await sender.load({ ...LIVE, count: LIVE.perSecond * LIVE_SECONDS });
  const liveMiB = peakMiB();
  await sender.kill();
  await receiver.stop();
  return { idleMiB, liveMiB };
}

/** The result stops watching, and answers the most resident memory meanwhile. */
function watchPeak(sender: Sender): () => number {
  let peakMiB = 0;
  const sample = setInterval(() => {
    peakMiB = Math.max(peakMiB, sender.residentMiB());
  }, SAMPLE_MS);
  return () => {
    clearInterval(sample);
    return peakMiB;
  };
}

interface Drained {
  readonly firstMs: number;
  readonly openMs: number;
  readonly drainSeconds: number;
  readonly peakMiB: number;
  readonly liveMs: readonly number[];
}

/** From opening a store with a million readings until the broker has them, live ones meanwhile. */
async function drained(receiver: Receiver): Promise<Drained> {
  const sender = new Sender(await filledFolder(), receiver.url);
  const { openingMs, openMs } = await sender.opened;
  const firstAtMs = await receiver.first;
  const peakOf = watchPeak(sender);
  const emptied = sender
    .status(({ readingsAcknowledged }) => readingsAcknowledged >= QUEUED_READINGS)
    .then(sharedMs);
  const count = LIVE.perSecond * LIVE_SECONDS;
  await sender.load({ ...LIVE, count });
  const emptiedAtMs = await emptied;
  const peakMiB = peakOf();
  await receiver.settled(count, SETTLE_MS);
  await sender.kill();
  const live = Array.from(receiver.stamped.values());
  return {
    firstMs: firstAtMs - openingMs,
    openMs,
    drainSeconds: (emptiedAtMs - firstAtMs) / 1000,
    peakMiB,
    liveMs: live.filter(({ sentMs }) => sentMs < emptiedAtMs).map(({ latencyMs }) => latencyMs),
  };
}

async function backlog(): Promise<Readonly<Record<string, number>>> {
  const receiver = await startReceiver();
  try {
    const { idleMiB, liveMiB } = await withoutBacklog();
    const restingMiB = await queuedMiB();
    const { firstMs, openMs, drainSeconds, peakMiB, liveMs } = await drained(receiver);
    return {
      'backlog.open': openMs,
      'backlog.first': firstMs,
      'backlog.drain': QUEUED_READINGS / drainSeconds,
      'backlog.rss.idle': idleMiB,
      'backlog.rss.live': liveMiB,
      'backlog.rss.queued': restingMiB,
      'backlog.rss.draining': peakMiB,
      'backlog.rss.grown.queued': restingMiB - idleMiB,
      'backlog.rss.grown.draining': peakMiB - liveMiB,
      'backlog.live.p50': percentile(liveMs, 0.5),
      'backlog.live.p99': percentile(liveMs, 0.99),
      'backlog.live.count': liveMs.length,
    };
  } finally {
    await receiver.stop();
  }
}

/**
 * A million readings are queued, as a killed process left them. `first` counts from the call that
 * opens the store to the broker's first message, without the start of Node; `rss.live` (without a
 * backlog) and `rss.draining` are peaks; `live` is from the append to the broker's answer, of what
 * was appended before the backlog was gone. Sources, not the bundle; no TLS.
 */
export const studies: readonly Study[] = [
  {
    runs: 3,
    units: {
      'backlog.open': 'ms',
      'backlog.first': 'ms',
      'backlog.drain': 'readings/s',
      'backlog.rss.idle': 'MiB',
      'backlog.rss.live': 'MiB',
      'backlog.rss.queued': 'MiB',
      'backlog.rss.draining': 'MiB',
      'backlog.rss.grown.queued': 'MiB',
      'backlog.rss.grown.draining': 'MiB',
      'backlog.live.p50': 'ms',
      'backlog.live.p99': 'ms',
      'backlog.live.count': 'messages',
    },
    run: backlog,
  },
];
