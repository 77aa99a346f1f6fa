import type { Failure } from '#bytes/failure.ts';
import type { Link, Stream, StreamHandler } from '#link/link.ts';
import type { Connection, ConnectionEvent } from '#protocol/connection.ts';
import type { Observation } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import type { Observations } from './observing.ts';
import { StreamLoop } from './stream-loop.ts';

export interface DeviceOptions {
  readonly name: string;
  readonly link: Link;
  /** A fresh protocol state for each stream that comes up. */
  readonly connect: () => Connection<Observations>;
  readonly clock: Clock;
  /** Where observations go. It must not throw: a device knows nothing of the store's troubles. */
  readonly take: (observation: Observation) => void;
  /** Told of what a person would want to know; not of every frame. */
  readonly notice: (event: DeviceNotice) => void;
}

export type DeviceNotice =
  | { readonly kind: 'up'; readonly peer: string }
  | { readonly kind: 'down'; readonly peer: string; readonly failure?: Failure }
  | { readonly kind: 'waiting'; readonly failure: Failure; readonly retryMs: number }
  | { readonly kind: 'discarded'; readonly failure: Failure; readonly length: number }
  | { readonly kind: 'stalled'; readonly peer: string; readonly failure: Failure }
  | { readonly kind: 'clock-failed'; readonly failure: Failure }
  | { readonly kind: 'clock-set'; readonly byS: number }
  | { readonly kind: 'object-refused'; readonly object: string; readonly failure: Failure }
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  | { readonly kind: 'refused'; readonly peer: string; readonly failure: Failure }
  | { readonly kind: 'ended' };

/** Counters since the start, and where the device stands now. */
export interface DeviceState {
  /** `resting`: a meter that is asked has answered all, and is asked again at its next slot. */
  readonly link: 'waiting' | 'up' | 'resting' | 'ended' | 'closed';
  readonly peers: readonly string[];
  /** The last failure, until a message comes in again. */
  readonly failure?: Failure;
  readonly readings: number;
  readonly observations: number;
  readonly discarded: number;
  readonly discardedBytes: number;
  /** Peers that were turned away because there were too many. */
  readonly refused: number;
  /** What a meter that is asked refused in the last reading, by object. */
  readonly refusedObjects?: Readonly<Record<string, Failure>>;
  readonly meterClock?: MeterClock;
}

/** What the last check of a meter's clock found. */
export interface MeterClock {
  /** Wall time in milliseconds. */
  readonly checkedMs: number;
  /** Seconds that the meter is ahead of us. */
  readonly offsetS?: number;
  /** It was set, by so many seconds. */
  readonly setByS?: number;
  /** It is too wrong, or could not be looked at or set. */
  readonly failure?: Failure;
}

export interface Device {
  readonly name: string;
  readonly state: DeviceState;
  /** Says farewell where the protocol has one, then closes the link. */
  stop(): Promise<void>;
}

/**
 * The loop of one device: whatever its link brings is given to a protocol connection, and what
 * that asks for is sent. Each stream has a protocol state of its own, so that a peer that sends
 * rubbish spoils nothing for another.
 */
export function openDevice(options: DeviceOptions): Device {
  return new DeviceLoop(options);
}

class DeviceLoop implements Device {
  readonly name: string;
  readonly #options: DeviceOptions;
  readonly #streams = new Set<StreamLoop<Observations>>();
  #failure: Failure | undefined;
  #phase: 'running' | 'ended' | 'closed' = 'running';
  #readings = 0;
  #observations = 0;
  #discarded = 0;
  #discardedBytes = 0;
  #refused = 0;

  constructor(options: DeviceOptions) {
    this.name = options.name;
    this.#options = options;
    options.link.open({
      up: (stream) => this.#up(stream),
      waiting: (failure, retryMs) => {
        this.#failure = failure;
        options.notice({ kind: 'waiting', failure, retryMs });
      },
      listening: (address, port) => options.notice({ kind: 'listening', address, port }),
      refused: (peer, failure) => {
        this.#refused += 1;
        options.notice({ kind: 'refused', peer, failure });
      },
      ended: () => {
        this.#phase = 'ended';
        options.notice({ kind: 'ended' });
      },
    });
  }

  get state(): DeviceState {
    const up = this.#streams.size > 0;
    return {
      link: this.#phase === 'running' ? (up ? 'up' : 'waiting') : this.#phase,
      peers: Array.from(this.#streams, ({ peer }) => peer),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      readings: this.#readings,
      observations: this.#observations,
      discarded: this.#discarded,
      discardedBytes: this.#discardedBytes,
      refused: this.#refused,
    };
  }

  async stop(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    for (const stream of this.#streams) stream.farewell();
    await this.#options.link.close();
  }

  #up(stream: Stream): StreamHandler {
    this.#options.notice({ kind: 'up', peer: stream.peer });
    const { connect, clock } = this.#options;
    const loop = new StreamLoop(stream, connect(), clock, (event) => this.#on(stream, event));
    this.#streams.add(loop);
    loop.start();
    return {
      chunk: (bytes) => loop.receive(bytes),
      down: (failure) => {
        loop.end();
        this.#streams.delete(loop);
        this.#down(stream.peer, failure);
      },
    };
  }

  #down(peer: string, failure: Failure | undefined): void {
    if (failure === undefined) this.#options.notice({ kind: 'down', peer });
    else {
      this.#failure = failure;
      this.#options.notice({ kind: 'down', peer, failure });
    }
  }

  #on(stream: Stream, event: ConnectionEvent<Observations>): void {
    switch (event.kind) {
      case 'message':
        this.#failure = undefined;
        for (const observation of event.message) this.#take(observation);
        return;
      case 'discarded':
        this.#discarded += 1;
        this.#discardedBytes += event.length;
        this.#failure = event.failure;
        this.#options.notice(event);
        return;
      case 'stalled':
        this.#failure = event.failure;
        this.#options.notice({ ...event, peer: stream.peer });
        stream.reset();
    }
  }

  #take(observation: Observation): void {
    this.#observations += 1;
    this.#readings += observation.readings.length;
    this.#options.take(observation);
  }
}
