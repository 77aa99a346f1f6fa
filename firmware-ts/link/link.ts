import type { Failure } from '#bytes/failure.ts';
import type { SerialFormat } from './serial-format.ts';

/**
 * A way to devices that mends itself: it opens, reopens after a loss with jittered back-off, and
 * knows no protocol. Callbacks come from the event loop, never from inside a method called here.
 */
export interface Link {
  /** Begins to connect or to listen. Called once. */
  open(owner: LinkOwner): void;
  /** Ends every stream and stops for good; resolves when the port is released. */
  close(): Promise<void>;
}

export interface LinkOwner {
  /**
   * A stream has begun; the answer takes what comes in. A client link has one stream at a time, a
   * listener or a UDP socket one for each peer, up to its limit.
   */
  up(stream: Stream): StreamHandler;
  /** No stream, and why; the next try comes after `retryMs`. */
  waiting(failure: Failure, retryMs: number): void;
  /** A replay has given all it has. Real links never call it. */
  ended(): void;
  /** A listening socket has its port, which is of interest where 0 was asked for. */
  listening?(address: string, port: number): void;
  /** A peer that came to a listening socket got no stream, e.g. beyond the limit of peers. */
  refused?(peer: string, failure: Failure): void;
}

export interface Stream {
  /** Who is at the other end, for people: `127.0.0.1:4712`, `/dev/ttyUSB0`. */
  readonly peer: string;
  /** Sends in order; what is sent after `down` is dropped. */
  send(bytes: Uint8Array): void;
  /**
   * Serial lines only: once all that was sent is out, goes on with another rate and format; what is
   * sent meanwhile follows at the new rate. Errors: `bad-format` where this port cannot have it.
   */
  setLine?(rate: number, format: SerialFormat): Promise<void>;
  /** The protocol has given up on this stream: end it (a client link then connects anew). */
  reset(): void;
}

export interface StreamHandler {
  /** Bytes as they came; valid only during the call. */
  chunk(bytes: Uint8Array): void;
  /** The stream has ended, with the reason unless it was asked for. */
  down(failure?: Failure): void;
}
