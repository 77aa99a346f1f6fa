import { OperatingError } from '#bytes/failure.ts';
import { DELIVERY_CLASSES, type DeliveryClass } from '#policy/delivery-class.ts';
import { Boots } from './boots.ts';
import type { Now } from './messages.ts';
import type { Statements, StreamRow } from './statements.ts';
import type { Gap } from './store.ts';

export interface SourceState {
  readonly id: number;
  bytes: number;
  changed: boolean;
}

export interface BackendState {
  readonly id: number;
  readonly name: string;
  /** Those that grow, by name. */
  readonly streams: Map<string, StreamState>;
  queuedEntries: number;
  queuedReadings: number;
  queuedBytes: number;
  /** No entry is older, by the store's clock; as long as nobody has looked nothing is known. */
  oldestMs: number;
  changed: boolean;
}

/** One outgoing stream in one epoch. */
export interface StreamState {
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

/**
 * The running numbers as the file has them, read once and written back once a transaction. After
 * a failed transaction this is thrown away and read anew, so that no number is ever skipped.
 */
export class RunningNumbers {
  readonly epoch: number;
  readonly sources = new Map<string, SourceState>();
  readonly backends = new Map<string, BackendState>();
  readonly streams = new Map<number, StreamState>();
  nextEntry: number;
  nextObservation: number;
  /** The store's own clock (decision 0006): when the file was last written, and at which time. */
  elapsedMs: number;
  trustedMs: number | undefined;
  /** The wall clock when it was last believed. */
  readonly believedMs: number | undefined;
  readonly boots: Boots;
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
    const meta = statements.meta.get();
    if (meta === undefined) throw new OperatingError('store-damaged', 'the epoch is missing');
    ({
      epoch: this.epoch,
      nextEntry: this.nextEntry,
      nextObservation: this.nextObservation,
      elapsedMs: this.elapsedMs,
    } = meta);
    this.trustedMs = meta.wallMs ?? undefined;
    this.believedMs = meta.believedMs ?? undefined;
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
    const counts = { queuedEntries: 0, queuedReadings: 0, queuedBytes: 0, changed: false };
    const backend = { id, name, streams: new Map<string, StreamState>(), oldestMs: 0, ...counts };
    this.backends.set(name, backend);
    return backend;
  }

  /** The stream that takes what is appended; `of` counts only where it begins. */
  stream(backend: BackendState, name: string, of: DeliveryClass): StreamState {
    const known = backend.streams.get(name);
    if (known !== undefined) return known;
    const begin = { epoch: this.epoch, growing: true, nextSequence: 0, through: -1 };
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
    const stream = { id, backend, name, class: of, ...begin, ...rest };
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
    for (const backend of this.backends.values()) {
      const { id, queuedEntries, queuedReadings, queuedBytes, changed } = backend;
      if (changed) {
        this.#statements.setBackend.run(queuedEntries, queuedReadings, queuedBytes, id);
      }
      backend.changed = false;
    }
    for (const stream of this.streams.values()) {
      if (stream.changed) this.#writeStream(stream);
      stream.changed = false;
    }
    this.elapsedMs = Math.max(this.elapsedMs, elapsedMs);
    this.trustedMs = trustedMsOf(now);
    const { nextEntry, nextObservation } = this;
    const [trusted, believed] = [this.trustedMs ?? null, now.wallMs ?? null];
    this.#statements.setMeta.run(nextEntry, nextObservation, this.elapsedMs, trusted, believed);
  }

  #writeStream({ id, nextSequence, through, chain, gapsOmitted, firstUntold }: StreamState): void {
    const toldThrough = Math.min(through, firstUntold - 1);
    const numbers = [nextSequence, through, chain ?? null, gapsOmitted, toldThrough];
    this.#statements.setStream.run(...numbers, id);
  }

  #readOutboxes(): void {
    const byId = new Map<number, BackendState>();
    for (const row of this.#statements.backends.all()) {
      const streams = new Map<string, StreamState>();
      const backend = { ...row, streams, oldestMs: 0, changed: false };
      this.backends.set(row.name, backend);
      byId.set(row.id, backend);
    }
    for (const row of this.#statements.streams.all()) {
      const backend = byId.get(row.backend);
      if (backend !== undefined) this.#remember(streamOf(row, backend));
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

/** Adds to what waits for a back-end. */
export function countQueued(
  backend: BackendState,
  entries: number,
  readings: number,
  bytes: number,
): void {
  backend.queuedEntries += entries;
  backend.queuedReadings += readings;
  backend.queuedBytes += bytes;
  backend.changed = true;
}

/** The wall clock, while it is not only believed but synchronised. */
export function trustedMsOf({ wallMs, belief }: Pick<Now, 'wallMs' | 'belief'>) {
  return belief?.trust === 'trusted' ? wallMs : undefined;
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
