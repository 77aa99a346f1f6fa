import { LAST_READINGS_MAX } from '#control/status.ts';
import type {
  BackendStatus,
  GatewayStatus,
  LinkStatus,
  ReadingStatus,
  SourceStatus,
} from '#control/status.ts';
import type { Device } from '#acquisition/device.ts';
import { toHex } from '#bytes/hex.ts';
import { valueOf } from '#reading/reading.ts';
import type { RawValue, TimeMark } from '#reading/reading.ts';
import type { StoreCounts } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { BackendPart } from './backends.ts';
import type { LatestReading } from './latest.ts';
import type { ReadingPath } from './path.ts';
import { VERSION } from './version.ts';

/** What a status is made of. */
export interface GatewayParts {
  readonly gateway: string;
  readonly startedAt: TimeMark;
  readonly clock: Clock;
  readonly sources: readonly SourcePart[];
  readonly backends: readonly BackendPart[];
  readonly path: ReadingPath;
  readonly counts: StoreCounts;
}

export interface SourcePart {
  readonly protocol: string;
  readonly device: Device;
}

export function statusOf(parts: GatewayParts): GatewayStatus {
  const now = parts.clock.wall();
  return {
    version: VERSION,
    gateway: parts.gateway,
    startedAt: isoOf(parts.startedAt),
    clock: { time: isoOf(now), trust: now.trust },
    sources: parts.sources.map((source) => sourceStatus(source, parts.path)),
    backends: parts.backends.map((backend) => backendStatus(backend, parts.counts)),
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
    lastReadings: path.latest(name).newest(LAST_READINGS_MAX).map(readingStatus),
  };
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
    value: jsonValue(valueOf(reading)),
    unit: reading.unit,
    time: isoOf(time),
    quality,
  };
}

function backendStatus({ name, uplink }: BackendPart, counts: StoreCounts): BackendStatus {
  const { state, lastFailure, readingsSent, readingsAcknowledged, ...tally } = uplink.status();
  const failure = state.kind === 'waiting' ? state.failure : undefined;
  return {
    name,
    state: state.kind,
    ...(failure === undefined ? {} : { failure }),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    queued: counts.backends[name]?.queuedReadings ?? 0,
    sent: readingsSent,
    acknowledged: readingsAcknowledged,
    streams: tally.streams,
    refusedStreams: tally.refusedStreams,
    latencyMs: tally.latencyMs ?? null,
  };
}

function jsonValue(value: RawValue): number | string | boolean {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}

/** ISO 8601 in UTC, to the millisecond; a device may claim a year that ISO 8601 does not have. */
function isoOf({ second, nanosecond }: TimeMark): string {
  const date = new Date(second * 1000 + Math.round(nanosecond / 1_000_000));
  return Number.isNaN(date.getTime()) ? `@${second}` : date.toISOString();
}
