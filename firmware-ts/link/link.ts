import type { Failure } from '#bytes/failure.ts';

/**
 * A way to a device that mends itself: it opens, reopens after a loss with jittered back-off, and
 * knows no protocol. Every callback comes from the event loop, never from inside a method.
 */
export interface Link {
  /** Begins to connect. Called once. */
  open(handler: LinkHandler): void;
  /** Sends in order while up; what is sent while down is dropped, the connection starts anew. */
  send(bytes: Uint8Array): void;
  /** The protocol has given up on this connection: drop it and connect anew. */
  reset(): void;
  /** Stops for good; resolves when the port is released. */
  close(): Promise<void>;
}

export interface LinkHandler {
  /** A byte stream (or a datagram socket) begins; a listener names its peer. */
  up(peer: string): void;
  chunk(bytes: Uint8Array): void;
  /** The stream has ended; the link tries again by itself after `retryMs` unless it is absent. */
  down(failure: Failure, retryMs?: number): void;
  /** A replay has given all it has; a real link never calls it. */
  ended?(): void;
}
