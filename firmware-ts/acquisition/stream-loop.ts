import { failureOf } from '#bytes/failure.ts';
import type { Stream } from '#link/link.ts';
import type { Connection, ConnectionEvent, Step } from '#protocol/connection.ts';
import type { Clock } from '#system/clock.ts';

/** Of a chunk the connection gets so much at a time: a piece is done with before the next. */
const PIECE_BYTES_MAX = 4096;

/** Marries one connection to one stream: the only place where deadlines become timers. */
export class StreamLoop<Message> {
  readonly #stream: Stream;
  readonly #connection: Connection<Message>;
  readonly #clock: Clock;
  readonly #on: (event: ConnectionEvent<Message>) => void;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #over = false;

  constructor(
    stream: Stream,
    connection: Connection<Message>,
    clock: Clock,
    on: (event: ConnectionEvent<Message>) => void,
  ) {
    this.#stream = stream;
    this.#connection = connection;
    this.#clock = clock;
    this.#on = on;
  }

  get peer(): string {
    return this.#stream.peer;
  }

  start(): void {
    this.#perform((at) => this.#connection.start(at));
  }

  receive(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += PIECE_BYTES_MAX) {
      const piece = bytes.subarray(start, start + PIECE_BYTES_MAX);
      this.#perform((at) => this.#connection.receive(piece, at));
    }
  }

  /** Makes the connection do something, as if it had been received. */
  perform(step: (at: number) => Step<Message>): void {
    this.#perform(step);
  }

  /** Sends what the protocol says at the end; nothing is received after. */
  farewell(): void {
    this.#perform((at) => this.#connection.stop(at));
    this.end();
  }

  end(): void {
    this.#over = true;
    this.#setTimer(Infinity);
  }

  #perform(step: (at: number) => Step<Message>): void {
    if (this.#over) return;
    const { send, events } = this.#attempt(step);
    for (const bytes of send) this.#stream.send(bytes);
    for (const event of events) this.#on(event);
    this.#wait();
  }

  /**
   * A connection reports errors as events; a throw is a defect in it. The stream starts anew
   * instead of taking the gateway with it.
   */
  #attempt(step: (at: number) => Step<Message>): Step<Message> {
    try {
      return step(this.#clock.monotonic());
    } catch (error) {
      return { send: [], events: [{ kind: 'stalled', failure: failureOf(error) }] };
    }
  }

  #wait(): void {
    // What was just reported may have ended the stream.
    this.#setTimer(this.#over ? Infinity : this.#connection.deadline);
  }

  #setTimer(deadline: number): void {
    if (deadline === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = deadline;
    if (deadline === Infinity) return;
    const delayMs = Math.max(0, deadline - this.#clock.monotonic());
    this.#cancelTimer = this.#clock.after(delayMs, () => {
      this.#timerAt = Infinity;
      this.#perform((at) => this.#connection.expire(at));
    });
  }
}
