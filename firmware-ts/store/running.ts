import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { Boots } from './boots.ts';
import { Meta } from './meta.ts';
import type { Now } from './messages.ts';
import type { Statements, StreamRow } from './statements.ts';
import type { Gap } from './store.ts';
import { UNTOLD_MAX, untoldToBytes } from './untold.ts';

export interface SourceState {
  readonly id: number;
  bytes: number;
  changed: boolean;
}

/** What waits: due, awaiting a receipt or in quarantine. */
export interface Queued {
  queuedEntries: number;
  queuedReadings: number;
  queuedBytes: number;
}

/** What waits for it is the sum over its streams, whose rows a commit writes anyway. */
export interface BackendState extends Queued {
  readonly id: number;
  readonly name: string;
  /** Those that grow, by name. */
  readonly streams: Map<string, StreamState>;
  /** No entry is older, by the store's clock; as long as nobody has looked nothing is known. */
  oldestMs: number;
}

/** One outgoing stream in one epoch. */
export interface StreamState extends Queued {
  readonly id: number;
  readonly backend: BackendState;
  readonly name: string;
  readonly class: DeliveryClass;
  readonly epoch: number;
  /** Takes appends; the others stem from earlier epochs, and only empty. */
  readonly growing: boolean;
  nextSequence: number;
  /** All numbers up to here are acknowledged or named. */
  through: number;
  /** The chain there, or nothing if it cannot be known. */
  chain: Uint8Array | undefined;
  /** Gaps beyond `through`, which it will pass over. */
  readonly gapsAhead: Gap[];
  gapsOmitted: number;
  /** Where the first gap begins that no manifest has told, or `Infinity`. */
  firstUntold: number;
  changed: boolean;
}

/** Of a chain of nothing (decision 0006). */
const CHAIN_START = new Uint8Array(32);

const NOTHING_QUEUED: Readonly<Queued> = { queuedEntries: 0, queuedReadings: 0, queuedBytes: 0 };

/**
 * The running numbers as the file has them, read once and written back once a transaction. After
 * a failed transaction this is thrown away and read anew, so that no number is ever skipped.
 */
export class RunningNumbers {
  readonly meta: Meta;
  readonly sources = new Map<string, SourceState>();
  readonly backends = new Map<string, BackendState>();
  readonly streams = new Map<number, StreamState>();
  readonly boots: Boots;
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.meta = new Meta(statements);
    this.boots = new Boots(statements);
    for (const { name, ...source } of statements.sources.all()) {
      this.sources.set(name, { ...source, changed: false });
    }
    this.#readOutboxes();
  }

  source(name: string): SourceState {
    const known = this.sources.get(name);
    if (known !== undefined) return known;
    const id = Number(this.#statements.addSource.run(name).lastInsertRowid);
    const source = { id, bytes: 0, changed: false };
    this.sources.set(name, source);
    return source;
  }

  backend(name: string): BackendState {
    const known = this.backends.get(name);
    if (known !== undefined) return known;
    const id = Number(this.#statements.addBackend.run(name).lastInsertRowid);
    const streams = new Map<string, StreamState>();
    const backend = { id, name, streams, oldestMs: 0, ...NOTHING_QUEUED };
    this.backends.set(name, backend);
    return backend;
  }

  /** The stream that takes what is appended; `of` counts only where it begins. */
  stream(backend: BackendState, name: string, of: DeliveryClass): StreamState {
    const known = backend.streams.get(name);
    if (known !== undefined) return known;
    const begin = { epoch: this.meta.epoch, growing: true, nextSequence: 0, through: -1 };
    return this.addStream(backend, name, of, { ...begin, chain: CHAIN_START });
  }

  addStream(
    backend: BackendState,
    name: string,
    of: DeliveryClass,
    begin: Pick<StreamState, 'epoch' | 'growing' | 'nextSequence' | 'through' | 'chain'>,
  ): StreamState {
    const { epoch, growing, nextSequence, through, chain } = begin;
    const place = DELIVERY_CLASSES.indexOf(of);
    const row = [backend.id, name, place, epoch, Number(growing), nextSequence, through];
    const id = Number(this.#statements.addStream.run(...row, chain ?? null).lastInsertRowid);
    const rest = { gapsAhead: [], gapsOmitted: 0, firstUntold: Infinity, changed: false };
    const stream = { id, backend, name, class: of, ...begin, ...NOTHING_QUEUED, ...rest };
    this.#remember(stream);
    return stream;
  }

  forgetStream({ id, name, growing, backend }: StreamState): void {
    this.#statements.forgetStream.run(id);
    this.#statements.forgetGaps.run(id);
    this.streams.delete(id);
    if (growing) backend.streams.delete(name);
  }

  /** Writes what has changed; within the transaction that changed it. */
  write(elapsedMs: number, now: Pick<Now, 'wallMs' | 'belief'>): void {
    for (const source of this.sources.values()) {
      if (source.changed) this.#statements.setSource.run(source.bytes, source.id);
      source.changed = false;
    }
    for (const stream of this.streams.values()) {
      if (stream.changed) this.#writeStream(stream);
      stream.changed = false;
    }
    this.meta.advance(elapsedMs, now);
  }

  #writeStream(stream: StreamState): void {
    const { id, nextSequence, through, chain, gapsOmitted, firstUntold } = stream;
    const { queuedEntries, queuedReadings, queuedBytes } = stream;
    const toldThrough = Math.min(through, firstUntold - 1);
    const numbers = [nextSequence, through, chain ?? null, gapsOmitted, toldThrough];
    const queued = [queuedEntries, queuedReadings, queuedBytes];
    this.#statements.setStream.run(...numbers, ...queued, this.#untoldOf(stream), id);
  }

  #untoldOf({ id, firstUntold }: StreamState): Uint8Array | null {
    if (firstUntold === Infinity) return null;
    return untoldToBytes(this.#statements.untoldGaps.all(id, UNTOLD_MAX));
  }

  #readOutboxes(): void {
    const byId = new Map<number, BackendState>();
    for (const row of this.#statements.backends.all()) {
      const streams = new Map<string, StreamState>();
      const backend = { ...row, streams, oldestMs: 0, ...NOTHING_QUEUED };
      this.backends.set(row.name, backend);
      byId.set(row.id, backend);
    }
    for (const row of this.#statements.streams.all()) {
      const backend = byId.get(row.backend);
      if (backend === undefined) continue;
      addQueued(backend, row.queuedEntries, row.queuedReadings, row.queuedBytes);
      this.#remember(streamOf(row, backend));
    }
    for (const { stream, ...row } of this.#statements.gapsAhead.all()) {
      this.streams.get(stream)?.gapsAhead.push(gapOf(row));
    }
    for (const { stream, first } of this.#statements.firstUntold.all()) {
      const state = this.streams.get(stream);
      if (state !== undefined) state.firstUntold = first;
    }
  }

  #remember(stream: StreamState): void {
    this.streams.set(stream.id, stream);
    if (stream.growing) stream.backend.streams.set(stream.name, stream);
  }
}

/** Adds to what waits of a stream, and so for its back-end. */
export function countQueued(
  stream: StreamState,
  entries: number,
  readings: number,
  bytes: number,
): void {
  addQueued(stream, entries, readings, bytes);
  addQueued(stream.backend, entries, readings, bytes);
  stream.changed = true;
}

function addQueued(queued: Queued, entries: number, readings: number, bytes: number): void {
  queued.queuedEntries += entries;
  queued.queuedReadings += readings;
  queued.queuedBytes += bytes;
}

function streamOf(row: StreamRow, backend: BackendState): StreamState {
  return {
    id: row.id,
    backend,
    name: row.name,
    class: DELIVERY_CLASSES[row.class] ?? 'bulk',
    epoch: row.epoch,
    growing: row.growing !== 0,
    nextSequence: row.nextSequence,
    through: row.through,
    chain: row.chain ?? undefined,
    gapsAhead: [],
    gapsOmitted: row.gapsOmitted,
    queuedEntries: row.queuedEntries,
    queuedReadings: row.queuedReadings,
    queuedBytes: row.queuedBytes,
    firstUntold: Infinity,
    changed: false,
  };
}

/** Reasons are written by us alone. */
export function gapOf(row: {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  readonly wallMs: number | null;
}): Gap {
  const reason = row.reason as Gap['reason'];
  const { first, last, wallMs } = row;
  return { first, last, reason, ...(wallMs === null ? {} : { wallMs }) };
}
