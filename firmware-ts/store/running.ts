import { OperatingError } from '#bytes/failure.ts';
import type { Statements } from './statements.ts';

export interface SourceState {
  readonly id: number;
  bytes: number;
  changed: boolean;
}

/** A back-end, and by how much the current transaction changes what waits for it. */
export interface BackendState {
  readonly id: number;
  readonly streams: Map<string, StreamState>;
  entries: number;
  readings: number;
}

export interface StreamState {
  readonly id: number;
  readonly epoch: number;
  nextSequence: number;
  changed: boolean;
}

/**
 * The running numbers as the file has them, read once and written back once a transaction. After
 * a failed transaction this is thrown away and read anew, so that no number is ever skipped.
 */
export class RunningNumbers {
  readonly epoch: number;
  readonly sources = new Map<string, SourceState>();
  readonly backends = new Map<string, BackendState>();
  nextEntry: number;
  nextObservation: number;
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
    const meta = statements.meta.get();
    if (meta === undefined) throw new OperatingError('store-damaged', 'the epoch is missing');
    ({
      epoch: this.epoch,
      nextEntry: this.nextEntry,
      nextObservation: this.nextObservation,
    } = meta);
    for (const { name, ...source } of statements.sources.all()) {
      this.sources.set(name, { ...source, changed: false });
    }
    for (const { id, name } of statements.backends.all()) {
      const streams = new Map<string, StreamState>();
      for (const { name: stream, ...state } of statements.streams.all(id)) {
        streams.set(stream, { ...state, changed: false });
      }
      this.backends.set(name, { id, streams, entries: 0, readings: 0 });
    }
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
    const backend = { id, streams: new Map<string, StreamState>(), entries: 0, readings: 0 };
    this.backends.set(name, backend);
    return backend;
  }

  stream(backend: BackendState, name: string): StreamState {
    const known = backend.streams.get(name);
    if (known !== undefined) return known;
    const { epoch } = this;
    const id = Number(this.#statements.addStream.run(backend.id, name, epoch).lastInsertRowid);
    const stream = { id, epoch, nextSequence: 0, changed: false };
    backend.streams.set(name, stream);
    return stream;
  }

  /** Writes what has changed; within the transaction that changed it. */
  write(): void {
    for (const source of this.sources.values()) {
      if (source.changed) this.#statements.setSource.run(source.bytes, source.id);
      source.changed = false;
    }
    for (const backend of this.backends.values()) {
      const { id, entries, readings } = backend;
      if (entries !== 0 || readings !== 0) {
        this.#statements.addToBackend.run(entries, readings, id);
      }
      backend.entries = backend.readings = 0;
      for (const stream of backend.streams.values()) {
        if (stream.changed) this.#statements.setStream.run(stream.nextSequence, stream.id);
        stream.changed = false;
      }
    }
    this.#statements.setMeta.run(this.nextEntry, this.nextObservation);
  }
}
