import type { Failure } from '#bytes/failure.ts';
import type { LinkOwner, Stream, StreamHandler } from '#link/link.ts';

/** What a link told its owner, in order. */
export type Told =
  | { readonly kind: 'up'; readonly stream: Stream }
  | { readonly kind: 'chunk'; readonly peer: string; readonly bytes: Uint8Array; at: number }
  | { readonly kind: 'down'; readonly peer: string; readonly failure: Failure | undefined }
  | { readonly kind: 'waiting'; readonly failure: Failure; readonly retryMs: number }
  | { readonly kind: 'refused'; readonly peer: string; readonly failure: Failure }
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  | { readonly kind: 'ended' };

type ToldOf<Kind extends Told['kind']> = Extract<Told, { kind: Kind }>;

/** Owns a link for a test: keeps all it is told, and lets the test wait for what comes next. */
export class RecordingOwner implements LinkOwner {
  readonly told: Told[] = [];
  readonly #monotonic: () => number;
  readonly #taken = new Map<Told['kind'], number>();
  readonly #wakes = new Set<() => void>();

  constructor(monotonic: () => number = () => 0) {
    this.#monotonic = monotonic;
  }

  up(stream: Stream): StreamHandler {
    const { peer } = stream;
    this.#tell({ kind: 'up', stream });
    return {
      chunk: (bytes) =>
        this.#tell({ kind: 'chunk', peer, bytes: bytes.slice(), at: this.#monotonic() }),
      down: (failure) => this.#tell({ kind: 'down', peer, failure }),
    };
  }

  waiting(failure: Failure, retryMs: number): void {
    this.#tell({ kind: 'waiting', failure, retryMs });
  }

  refused(peer: string, failure: Failure): void {
    this.#tell({ kind: 'refused', peer, failure });
  }

  listening(address: string, port: number): void {
    this.#tell({ kind: 'listening', address, port });
  }

  ended(): void {
    this.#tell({ kind: 'ended' });
  }

  /** The next of this kind that was not taken before; waits for it. */
  async next<Kind extends Told['kind']>(kind: Kind): Promise<ToldOf<Kind>> {
    const index = this.#taken.get(kind) ?? 0;
    this.#taken.set(kind, index + 1);
    await this.until(() => this.of(kind).length > index);
    const told = this.of(kind)[index];
    if (told === undefined) throw new Error('what was told is gone');
    return told;
  }

  /** Waits until `met`, which is asked again after each event. */
  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const wake = (): void => resolve(undefined);
      this.#wakes.add(wake);
      await promise;
      this.#wakes.delete(wake);
    }
  }

  of<Kind extends Told['kind']>(kind: Kind): ToldOf<Kind>[] {
    return this.told.filter((told): told is ToldOf<Kind> => told.kind === kind);
  }

  /** All bytes of a peer, or of everybody, as one array. */
  received(peer?: string): Uint8Array {
    const chunks = this.of('chunk').filter((told) => peer === undefined || told.peer === peer);
    return Buffer.concat(chunks.map(({ bytes }) => bytes));
  }

  #tell(told: Told): void {
    this.told.push(told);
    for (const wake of this.#wakes) wake();
  }
}
