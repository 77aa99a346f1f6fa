import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import { GAPS_LISTED_MAX, VALUES_MAX } from '#control/outbox.ts';
import type {
  BackendOutbox,
  EntryAction,
  EntryDone,
  EntryStatus,
  GapStatus,
  OutboxStatus,
  QuarantinedStatus,
  StreamOutbox,
} from '#control/outbox.ts';
import type { Answers } from '#control/server.ts';
import type { ReadingStatus } from '#control/status.ts';
import { isoTimeOf, jsonScalarOf } from '#reading/json.ts';
import { valueOf } from '#reading/reading.ts';
import { decodePack } from '#reading/senml-decode.ts';
import { encodePack } from '#reading/senml.ts';
import type { Gap, Quarantined, Store, StoreCounts, StreamStanding } from '#store/store.ts';
import type { DueEntry } from '#store/store.ts';

/** What is asked of the outboxes, and done to what lies in quarantine, over the control socket. */
export interface OutboxParts {
  readonly gateway: string;
  /** Those of the configuration; the file may hold what is owed to others. */
  readonly backends: readonly string[];
  readonly store: Store;
}

export function outboxAnswers(parts: OutboxParts): Answers {
  return {
    '/v1/outbox': () => listOf(parts),
    '/v1/outbox/*/*': (backend = '', id = '') => entryOf(parts, backend, id),
  };
}

export function outboxActions(parts: OutboxParts): Answers {
  const act = (action: EntryAction) => async (backend: string, word: string) => {
    const id = await known(parts, backend, word);
    if (!(await parts.store[action](backend, id))) refuseEntry(backend, word);
    return { backend, id, done: action } satisfies EntryDone;
  };
  const [resend, discard] = [act('resend'), act('discard')];
  return {
    '/v1/outbox/*/*/resend': (backend = '', id = '') => resend(backend, id),
    '/v1/outbox/*/*/discard': (backend = '', id = '') => discard(backend, id),
  };
}

async function listOf({ backends, store }: OutboxParts): Promise<OutboxStatus> {
  const counts = await store.counts();
  const names = namesOf(backends, counts);
  return { backends: await Promise.all(names.map((name) => outboxOf(store, counts, name))) };
}

function namesOf(configured: readonly string[], counts: StoreCounts): readonly string[] {
  return [...new Set([...configured, ...Object.keys(counts.backends)])];
}

async function outboxOf(store: Store, counts: StoreCounts, name: string): Promise<BackendOutbox> {
  const queue = counts.backends[name];
  const [streams, quarantined] = await Promise.all([store.streams(name), store.quarantined(name)]);
  return {
    name,
    entries: queue?.queuedEntries ?? 0,
    readings: queue?.queuedReadings ?? 0,
    bytes: queue?.queuedBytes ?? 0,
    ...(queue?.oldestMs === undefined ? {} : { oldest: isoOfMs(queue.oldestMs) }),
    streams: streams.map(streamStatus),
    quarantined: quarantined.map(quarantinedStatus),
    quarantinedOmitted: Math.max(0, (queue?.quarantinedEntries ?? 0) - quarantined.length),
  };
}

export function isoOfMs(ms: number): string {
  const second = Math.floor(ms / 1000);
  return isoTimeOf({ second, nanosecond: (ms - second * 1000) * 1_000_000 });
}

function streamStatus(standing: StreamStanding): StreamOutbox {
  const { stream, epoch, through, next, gaps, gapsOmitted, gapsToCome } = standing;
  const listed = gaps.slice(-GAPS_LISTED_MAX);
  return {
    stream,
    class: standing.class,
    epoch,
    through,
    next,
    gaps: listed.map(gapStatus),
    gapsOmitted: gapsOmitted + gapsToCome + gaps.length - listed.length,
  };
}

function gapStatus({ first, last, reason, wallMs }: Gap): GapStatus {
  return { first, last, reason, ...(wallMs === undefined ? {} : { at: isoOfMs(wallMs) }) };
}

function quarantinedStatus(entry: Quarantined): QuarantinedStatus {
  const { id, stream, epoch, sequence, count, readings, bytes, takenMs, code, message } = entry;
  const numbers = { id, stream, epoch, sequence, count };
  return { ...numbers, readings, bytes, taken: isoOfMs(takenMs), code, message };
}

/** Errors: `unknown-reference`, `unknown-entry`. */
async function entryOf(parts: OutboxParts, backend: string, word: string): Promise<EntryStatus> {
  const { store, gateway } = parts;
  const id = await known(parts, backend, word);
  const [head] = await store.quarantined(backend, id);
  const entry = await store.entry(backend, id);
  if (head === undefined || entry === undefined) refuseEntry(backend, word);
  const { values, failure } = readingsOf(gateway, entry);
  return {
    backend,
    entry: quarantinedStatus(head),
    values: values.slice(0, VALUES_MAX),
    valuesOmitted: Math.max(0, values.length - VALUES_MAX),
    ...(failure === undefined ? {} : { failure }),
  };
}

interface Read {
  readonly values: readonly ReadingStatus[];
  readonly failure?: Failure;
}

/** What a receiver would read; what is in quarantine may well be unreadable. */
function readingsOf(gateway: string, entry: DueEntry): Read {
  try {
    const { records } = decodePack(encodePack({ gateway, ...entry }, [entry]));
    return {
      values: records.map((record) => ({
        object: record.object,
        value: jsonScalarOf(valueOf(record)),
        unit: record.unit,
        time: isoTimeOf(record.time),
        quality: record.quality,
      })),
    };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { values: [], failure: failureOf(error) };
  }
}

/** The id in words; errors: `unknown-reference` for the back-end, `unknown-entry`. */
async function known({ backends, store }: OutboxParts, backend: string, word: string) {
  const names = namesOf(backends, await store.counts());
  if (!names.includes(backend)) {
    throw new OperatingError('unknown-reference', `there is no back-end ${backend}`, {
      hint: names.length === 0 ? 'none is configured' : `there are: ${names.join(', ')}`,
    });
  }
  const id = Number(word);
  if (!/^\d+$/.test(word) || !Number.isSafeInteger(id)) refuseEntry(backend, word);
  return id;
}

function refuseEntry(backend: string, word: string): never {
  throw new OperatingError('unknown-entry', `${backend} has no entry ${word} in quarantine`, {
    hint: `normctl outbox list ${backend}`,
  });
}
