import { LAST_READINGS_MAX } from '#control/status.ts';
import type {
  BackendStatus,
  GatewayStatus,
  LaneStatus,
  LinkStatus,
  MeterClockStatus,
  OutboxCounts,
  ReadingStatus,
  SourceStatus,
} from '#control/status.ts';
import type { Device, MeterClock } from '#acquisition/device.ts';
import { DEADLINES_MS, DELIVERY_CLASSES, byClass } from '#policy/delivery-class.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { isoTimeOf, jsonScalarOf } from '#reading/json.ts';
import { valueOf } from '#reading/reading.ts';
import type { TimeMark } from '#reading/reading.ts';
import type { QueueCounts, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { BackendPart } from './backends.ts';
import type { LatestReading } from './latest.ts';
import { isoOfMs } from './outboxes.ts';
import type { ReadingPath } from './path.ts';
import type { StoreWatch } from './store-watch.ts';
import { VERSION } from './version.ts';

/** What a status is made of. */
export interface GatewayParts {
  readonly gateway: string;
  readonly startedAt: TimeMark;
  readonly clock: Clock;
  readonly sources: readonly SourcePart[];
  readonly backends: readonly BackendPart[];
  readonly path: ReadingPath;
  readonly outboxes: Outboxes;
}

/** By the back-end's name. */
export type Outboxes = ReadonlyMap<string, Waiting>;

interface Waiting extends OutboxCounts {
  readonly readings: number;
  readonly lanes: Lanes;
}

type Lanes = QueueCounts['lanes'];

export interface SourcePart {
  readonly protocol: string;
  readonly device: Device;
}

export function statusOf(parts: GatewayParts): GatewayStatus {
  const now = parts.clock.wall();
  return {
    version: VERSION,
    gateway: parts.gateway,
    startedAt: isoTimeOf(parts.startedAt),
    clock: { time: isoTimeOf(now), trust: now.trust },
    sources: parts.sources.map((source) => sourceStatus(source, parts.path)),
    backends: parts.backends.map((backend) => backendStatus(backend, parts)),
  };
}

function sourceStatus({ protocol, device }: SourcePart, path: ReadingPath): SourceStatus {
  const { name, state } = device;
  const { taken, stored, refused } = path.counts(name);
  return {
    name,
    protocol,
    link: linkStatus(device),
    taken,
    stored,
    refused,
    discarded: state.discarded,
    ...(state.meterClock === undefined ? {} : { meterClock: meterClockStatus(state.meterClock) }),
    ...(state.refusedObjects === undefined ? {} : { refusedObjects: state.refusedObjects }),
    lastReadings: path.latest(name).newest(LAST_READINGS_MAX).map(readingStatus),
  };
}

function meterClockStatus({ checkedMs, ...seen }: MeterClock): MeterClockStatus {
  return { checkedAt: isoOfMs(checkedMs), ...seen };
}

function linkStatus({ state }: Device): LinkStatus {
  const [peer] = state.peers;
  return {
    state: state.link === 'closed' ? 'ended' : state.link,
    ...(peer === undefined ? {} : { peer }),
    ...(state.failure === undefined ? {} : { failure: state.failure }),
  };
}

function readingStatus({ reading, time, quality }: LatestReading): ReadingStatus {
  return {
    object: reading.object,
    value: jsonScalarOf(valueOf(reading)),
    unit: reading.unit,
    time: isoTimeOf(time),
    quality,
  };
}

const NO_LANES: Lanes = byClass(() => ({ entries: 0 }));
const NOTHING = { readings: 0, lanes: NO_LANES, entries: 0, bytes: 0, quarantined: 0, gaps: {} };

function backendStatus(
  { name, uplink }: BackendPart,
  { outboxes, clock, path }: Pick<GatewayParts, 'outboxes' | 'clock' | 'path'>,
): BackendStatus {
  const { readings, lanes, ...outbox } = outboxes.get(name) ?? NOTHING;
  const { state, lastFailure, readingsSent, readingsAcknowledged, ...tally } = uplink.status();
  const { traffic, window } = tally;
  const bytes = traffic.bytesRead + traffic.bytesWritten;
  return {
    name,
    state: state.kind,
    ...('broker' in state ? { broker: state.broker } : {}),
    ...(state.kind === 'waiting' ? { failure: state.failure, retryMs: state.retryMs } : {}),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    queued: readings,
    sent: readingsSent,
    acknowledged: readingsAcknowledged,
    streams: tally.streams,
    refusedStreams: tally.refusedStreams,
    lanes: lanesStatus(lanes, tally.missedDeadlines, clock.monotonic()),
    latencyMs: tally.latencyMs ?? null,
    heldBack: path.heldBack(name),
    ...(window === undefined ? {} : { window }),
    traffic: {
      ...traffic,
      bytesPerReading: readingsAcknowledged === 0 ? null : bytes / readingsAcknowledged,
    },
    events: tally.events,
    ...(tally.receipts === undefined ? {} : { receipts: tally.receipts }),
    outbox,
  };
}

function lanesStatus(
  lanes: Lanes,
  missed: Readonly<Record<DeliveryClass, number>>,
  nowMs: number,
): readonly LaneStatus[] {
  return DELIVERY_CLASSES.map((of) => {
    const { entries, committedMs } = lanes[of];
    const ageMs = Math.max(0, Math.round(nowMs - (committedMs ?? nowMs)));
    return {
      class: of,
      deadlineMs: Number.isFinite(DEADLINES_MS[of]) ? DEADLINES_MS[of] : null,
      queued: entries,
      ...(committedMs === undefined ? {} : { oldestAgeMs: ageMs }),
      missedDeadlines: missed[of],
    };
  });
}

/** What waits for each of `backends`, and what was named as a gap. Errors: those of the store. */
export async function outboxCountsOf(
  store: Store,
  backends: readonly string[],
  watch: StoreWatch,
): Promise<Outboxes> {
  const counts = await store.counts();
  const outboxes = backends.map((name) => {
    const queue = counts.backends[name];
    const outbox = {
      readings: queue?.queuedReadings ?? 0,
      lanes: queue?.lanes ?? NO_LANES,
      entries: queue?.queuedEntries ?? 0,
      bytes: queue?.queuedBytes ?? 0,
      ...(queue?.oldestMs === undefined ? {} : { oldest: isoOfMs(queue.oldestMs) }),
      quarantined: queue?.quarantinedEntries ?? 0,
      gaps: watch.gapsOf(name),
    };
    return [name, outbox] as const;
  });
  return new Map(outboxes);
}
