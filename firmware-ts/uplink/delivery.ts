import { failureOf, type Failure } from '#bytes/failure.ts';
import { DELIVERY_CLASSES, isUrgent } from '#policy/delivery-class.ts';
import { UNDURABLE_MAX } from './acknowledger.ts';
import { Answers } from './answers.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { DueReader } from './due-reader.ts';
import { Lane, type Outgoing } from './lane.ts';
import { GROWTH, PIECE_MARGIN_BYTES } from './packet.ts';
import { Publisher } from './publisher.ts';
import type { Refused } from './send-queue.ts';
import { type Announcement, Sender } from './sender.ts';
import type { Message } from './session.ts';
import { Trial } from './trial.ts';
import type { LaneStatus, WindowStatus } from './uplink.ts';

/** Sends what is due over one session, the most urgent first, until the session is lost. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #lanes: readonly Lane[];
  readonly #urgentLanes: readonly Lane[];
  readonly #publisher: Publisher;
  readonly #answers: Answers;
  readonly #sender: Sender;
  readonly #trial: Trial;
  readonly #empty = Promise.withResolvers<undefined>();
  readonly #unsubscribe: () => void;
  readonly #packBytesMax: number;
  readonly #stage = { stopping: false, over: false };
  #behindSinceMs: number | undefined;
  #restSinceMs: number | undefined;
  readonly #announcements: Announcement[] = [];

  constructor(parts: DeliveryParts) {
    const { session, backend, gateway } = parts;
    this.#parts = parts;
    const packetBytesMax = session.packetBytesMax / GROWTH[parts.format];
    const bytesMax = Math.min(parts.packBytesMax, packetBytesMax);
    this.#packBytesMax = bytesMax - 2 * gateway.length; // in the topic and in the base name
    const pieceBytesMax = this.#packBytesMax - PIECE_MARGIN_BYTES;
    const ready = (): void => this.#pump();
    const send = (lane: Lane, outgoing: Outgoing): void => this.#sender.send(lane, outgoing);
    this.#lanes = lanesOf(parts, pieceBytesMax, ready);
    this.#urgentLanes = this.#lanes.filter(({ of }) => isUrgent(of));
    this.#publisher = new Publisher({ ...parts, ready });
    const common = { stage: this.#stage, reader: new DueReader(parts), ready };
    const trying = (): boolean => this.#trial.underWay;
    this.#answers = new Answers(parts, { ...common, trying, pieceBytesMax });
    this.#sender = new Sender(parts, this.#publisher, this.#answers);
    this.#trial = new Trial(parts, {
      ...common,
      send,
      lanes: this.#lanes,
      inFlight: () => this.#publisher.inFlight,
      pieceBytesMax,
    });
    this.#unsubscribe = parts.store.onDue(backend, (owed) => {
      for (const lane of this.#lanes) {
        const range = owed[lane.of];
        if (range !== undefined) lane.woken(range);
      }
      this.#pump();
    });
    this.#pump();
  }

  /** Streams that the broker refuses, with the failure and the refusals in a row. */
  get refusals(): ReadonlyMap<string, Refused> {
    return new Map(this.#lanes.flatMap(({ queue }) => [...queue.refusals]));
  }

  get window(): WindowStatus {
    return this.#publisher.window;
  }

  get lanes(): readonly LaneStatus[] {
    return this.#lanes.map(({ of, behind, queue }) => ({
      class: of,
      behind,
      messages: queue.inFlight,
    }));
  }

  /** Sends nothing new; settles when the broker has answered everything and it is durable. */
  async drain(): Promise<void> {
    this.#stage.stopping = true;
    this.#pump();
    await this.#empty.promise;
    await this.#parts.acknowledger.idle();
  }

  /** For how long there has been nothing to send, and nothing in flight. */
  get restingMs(): number {
    const nowMs = this.#parts.clock.monotonic();
    return nowMs - (this.#restSinceMs ?? nowMs);
  }

  /** Whether nothing waits for an answer, of the broker or of the store. */
  get quiet(): boolean {
    return this.#publisher.inFlight === 0 && this.#parts.acknowledger.waiting === 0;
  }

  /** The store has taken acknowledgements: more may be sent. */
  resume(): void {
    this.#pump();
  }

  /** Sends something that is not of the outbox, in one of the places of alarms if need be. */
  announce(message: Message, done: Announcement['done']): void {
    this.#announcements.push({ message, done });
    this.#pump();
  }

  /** The session is over, because of this failure if it was lost. */
  end(failure?: Failure): void {
    this.#stage.over = true;
    this.#unsubscribe();
    this.#publisher.end();
    this.#answers.end();
    for (const lane of this.#lanes) lane.end();
    this.#empty.resolve(undefined);
    if (failure !== undefined) this.#trial.lost(failure, this.#sender.oldest);
  }

  #pump(): void {
    const { over, stopping } = this.#stage;
    if (over) return;
    if (stopping) {
      if (this.#publisher.inFlight === 0) this.#empty.resolve(undefined);
      return;
    }
    this.#try();
    if (this.#trial.underWay) return;
    this.#sendAll();
    for (const lane of this.#lanes) lane.fill();
    this.#noteDrained();
  }

  /** While an entry is tried one thing is in flight at a time, the most urgent first. */
  #try(): void {
    while (this.#trial.underWay && this.#publisher.inFlight === 0) {
      if (!this.#sendUrgent() && !this.#trial.goOn()) break;
    }
    if (this.#trial.underWay) for (const lane of this.#urgentLanes) lane.fill();
  }

  #sendUrgent(): boolean {
    const undurable = this.#parts.acknowledger.waiting >= UNDURABLE_MAX;
    const next = undurable ? undefined : this.#next(this.#urgentLanes);
    const announcement = next === undefined ? this.#announcements.shift() : undefined;
    if (next !== undefined) this.#sender.send(next.lane, next.outgoing);
    else if (announcement !== undefined) this.#sender.announce(announcement);
    return next !== undefined || announcement !== undefined;
  }

  #sendAll(): void {
    while (this.#announcements.length > 0 && this.#publisher.mayPublish(true)) {
      const next = this.#announcements.shift();
      if (next !== undefined) this.#sender.announce(next);
    }
    while (this.#parts.acknowledger.waiting < UNDURABLE_MAX) {
      const next = this.#next(this.#lanes);
      if (next === undefined) return;
      this.#sender.send(next.lane, next.outgoing);
    }
  }

  #next(lanes: readonly Lane[]): { readonly lane: Lane; readonly outgoing: Outgoing } | undefined {
    const bytesMax = Math.min(this.#packBytesMax, this.#publisher.packBytesMax);
    for (const lane of lanes) {
      if (!this.#publisher.mayPublish(isUrgent(lane.of))) return undefined;
      const outgoing = lane.next(bytesMax);
      if (outgoing !== undefined) return { lane, outgoing };
    }
    return undefined;
  }

  #noteDrained(): void {
    const nowMs = this.#parts.clock.monotonic();
    if (this.#lanes.some((lane) => lane.behind) || this.#publisher.inFlight > 0) {
      this.#behindSinceMs ??= nowMs;
      this.#restSinceMs = undefined;
      return;
    }
    this.#restSinceMs ??= nowMs;
    if (this.#behindSinceMs !== undefined) {
      const behindMs = nowMs - this.#behindSinceMs;
      this.#behindSinceMs = undefined;
      this.#parts.drained(behindMs);
    }
  }
}

function lanesOf(parts: DeliveryParts, pieceBytesMax: number, ready: () => void): readonly Lane[] {
  const failed = (error: unknown): void => parts.session.abort(failureOf(error));
  const classes = DELIVERY_CLASSES.filter((of) => !parts.urgentOnly || isUrgent(of));
  return classes.map((of) => {
    const waits = isUrgent(of) ? { batchMs: 0, backlogDelayMs: 0 } : {};
    return new Lane({ ...parts, ...waits, of, pieceBytesMax, ready, failed });
  });
}
