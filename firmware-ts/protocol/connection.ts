import type { Failure } from '#bytes/failure.ts';

/**
 * A protocol without I/O: bytes and moments go in, messages and bytes to send come out.
 * `at` and `deadline` are monotonic milliseconds of one clock that the caller owns.
 */
export interface Connection<Message> {
  /** When `expire` wants to be called; `Infinity` while nothing is waited for. */
  readonly deadline: number;
  /** The link has come up: what to send first. Also forgets what an earlier link left behind. */
  start(at: number): Step<Message>;
  /** A chunk of any size arrived; it may be kept only as a copy. */
  receive(chunk: Uint8Array, at: number): Step<Message>;
  /** `deadline` has passed. */
  expire(at: number): Step<Message>;
  /** The link will be closed on purpose: what to send as a farewell. */
  stop(at: number): Step<Message>;
}

export interface Step<Message> {
  readonly send: readonly Uint8Array[];
  readonly events: readonly ConnectionEvent<Message>[];
}

/**
 * Offsets count the bytes received since `start`; that of a failure, too: of the field where it can
 * be told, or else of the message.
 */
export type ConnectionEvent<Message> =
  | {
      readonly kind: 'message';
      readonly offset: number;
      readonly length: number;
      readonly message: Message;
    }
  | {
      /** Bytes that were no good: noise between frames, a bad check, a refused message. */
      readonly kind: 'discarded';
      readonly offset: number;
      readonly length: number;
      readonly failure: Failure;
    }
  | {
      /** The peer does not do its part (silent, refuses): the link should be opened anew. */
      readonly kind: 'stalled';
      readonly failure: Failure;
    };

/** A step in which nothing happened. */
export const QUIET: Step<never> = { send: [], events: [] };
