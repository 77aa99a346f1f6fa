import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { CapturedChunk } from './capture.ts';
import { readCapture } from './capture.ts';
import type { Link, LinkOwner } from './link.ts';
import type { Endpoint, EndpointOwner, LinkPorts } from './mending.ts';
import { mendingLink } from './mending.ts';
import type { RunningStream } from './stream.ts';
import { beginStream } from './stream.ts';

export interface ReplayOptions {
  readonly kind: 'replay';
  /** See `readCapture` for what it may be. */
  readonly file: string;
  /** As it was caught, or as fast as it is taken. */
  readonly pace: 'original' | 'fast';
  /** Only what was sent from this TCP or UDP port of a pcap: the device's own. */
  readonly port?: number;
}

/** So many chunks in one go, then everybody else has a turn. */
const CHUNKS_PER_TURN = 32;

/** A capture file in place of a device: a stream for each sender; what is sent to it is dropped. */
export function replay(options: ReplayOptions, ports: LinkPorts): Link {
  return mendingLink((owner, events) => new Playback(options, ports.clock, owner, events), ports);
}

class Playback implements Endpoint {
  readonly #pace: ReplayOptions['pace'];
  readonly #clock: Clock;
  readonly #owner: LinkOwner;
  readonly #events: EndpointOwner;
  readonly #streams = new Map<string, RunningStream>();
  #state: 'loading' | 'playing' | 'ending' = 'loading';
  #chunks: readonly CapturedChunk[] = [];
  #next = 0;
  #startMs = 0;
  #cancel: () => void = () => undefined;

  constructor(options: ReplayOptions, clock: Clock, owner: LinkOwner, events: EndpointOwner) {
    this.#pace = options.pace;
    this.#clock = clock;
    this.#owner = owner;
    this.#events = events;
    readCapture(options.file, options.port).then(
      (chunks) => this.#begin(chunks),
      (error: unknown) => events.ended(failureOf(error)),
    );
  }

  end(): void {
    const loading = this.#state === 'loading';
    this.#state = 'ending';
    this.#cancel();
    this.#endStreams();
    if (!loading) setImmediate(() => this.#events.ended(STOPPED));
  }

  #begin(chunks: readonly CapturedChunk[]): void {
    if (this.#state === 'ending') {
      this.#events.ended(STOPPED);
      return;
    }
    this.#state = 'playing';
    this.#chunks = chunks;
    this.#startMs = this.#clock.monotonic();
    this.#events.opened();
    this.#play();
  }

  #play(): void {
    for (let count = 0; count < CHUNKS_PER_TURN; count += 1) {
      if (this.#state === 'ending') return;
      const chunk = this.#chunks[this.#next];
      if (chunk === undefined) {
        this.#endStreams();
        setImmediate(() => this.#owner.ended());
        return;
      }
      const waitMs = this.#waitMs(chunk);
      if (waitMs > 0) {
        this.#cancel = this.#clock.after(waitMs, () => this.#play());
        return;
      }
      this.#next += 1;
      this.#streamOf(chunk.peer).chunk(chunk.bytes);
    }
    const turn = setImmediate(() => this.#play());
    this.#cancel = () => clearImmediate(turn);
  }

  #waitMs({ atMs }: CapturedChunk): number {
    return this.#pace === 'fast' ? 0 : this.#startMs + atMs - this.#clock.monotonic();
  }

  #streamOf(peer: string): RunningStream {
    const known = this.#streams.get(peer);
    if (known !== undefined) return known;
    const stream = beginStream(this.#owner, {
      peer,
      send: () => undefined, // what was caught is given, whatever is asked
      end: () => {
        this.#streams.delete(peer); // its next chunk, if any, begins a new stream
        setImmediate(() => stream.ended(STOPPED));
      },
    });
    this.#streams.set(peer, stream);
    return stream;
  }

  #endStreams(): void {
    for (const stream of this.#streams.values()) stream.end();
  }
}

const STOPPED: Failure = { code: 'stopped', message: 'the replay was stopped' };
