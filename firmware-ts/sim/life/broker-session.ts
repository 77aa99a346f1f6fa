import type { Failure } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Message, Session, Subscription, Traffic } from '#uplink/session.ts';

/** What becomes of a message that has arrived. */
export type Fate =
  | { readonly kind: 'answered'; readonly delayMs: number; readonly refusal?: Failure }
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'hung-up' };

interface Judge {
  wayMs(): number;
  /** The gateway sends this. */
  sent?(message: Message): void;
  judge(message: Message): Fate;
  /** What becomes of a subscription; it is granted unless said. */
  judgeSubscription?(topic: string): Fate;
  /** What is retained of this topic. */
  retained?(topic: string): Uint8Array | undefined;
}

/** What the broker welcomes with; a hundred messages of any size unless given. */
export type SessionLimits = Partial<Pick<Session, 'receiveMaximum' | 'packetBytesMax'>>;

/** One connection: messages arrive in order, and what is on its way when it is cut is lost. */
export class BrokerSession implements Session {
  readonly protocol = '5';
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  readonly #broker: Judge;
  readonly #clock: Clock;
  #subscription: Subscription | undefined;
  readonly #lost = Promise.withResolvers<Failure>();
  #cut = false;
  #deaf = false;
  #arrivesMs = 0;
  #answeredMs = 0;
  #bytesWritten = 0;

  constructor(broker: Judge, clock: Clock, limits: SessionLimits = {}) {
    this.#broker = broker;
    this.#clock = clock;
    this.receiveMaximum = limits.receiveMaximum ?? 100;
    this.packetBytesMax = limits.packetBytesMax ?? Infinity;
  }

  get lost(): Promise<Failure> {
    return this.#lost.promise;
  }

  readonly traffic = (): Traffic => ({ bytesRead: 0, bytesWritten: this.#bytesWritten });

  publish(message: Message, done: (refusal?: Failure) => void): void {
    if (this.#cut || this.#deaf) return;
    this.#bytesWritten += message.topic.length + message.payload.length;
    this.#broker.sent?.(message);
    const nowMs = this.#clock.monotonic();
    this.#arrivesMs = Math.max(this.#arrivesMs, nowMs + this.#broker.wayMs());
    this.#clock.after(this.#arrivesMs - nowMs, () => {
      if (!this.#cut) this.#arrive(message, done);
    });
  }

  subscribe(subscription: Subscription, done: (refusal?: Failure) => void): void {
    const { topic } = subscription;
    this.#clock.after(this.#broker.wayMs(), () => {
      if (this.#cut || this.#deaf) return;
      const delayMs = this.#broker.wayMs();
      const fate = this.#broker.judgeSubscription?.(topic) ?? { kind: 'answered', delayMs };
      this.#tell(fate, (refusal) => {
        if (refusal === undefined) this.#subscription = subscription;
        done(refusal);
        const kept = this.#broker.retained?.(topic);
        if (kept !== undefined) this.tell(topic, kept);
      });
    });
  }

  /** A message for who listens. */
  tell(topic: string, payload: Uint8Array): void {
    const { topic: asked, received } = this.#subscription ?? {};
    if (asked !== topic) return;
    this.#clock.after(this.#broker.wayMs(), () => {
      if (!this.#cut && !this.#deaf) received?.(payload);
    });
  }

  close(): Promise<void> {
    this.lose({ code: 'stopped', message: 'taken leave' });
    return Promise.resolve();
  }

  abort(failure: Failure): void {
    this.lose(failure);
  }

  lose(failure: Failure): void {
    this.#cut = true;
    this.#lost.resolve(failure);
  }

  /** The gateway has died: what it had sent still arrives, and nobody hears the answers. */
  orphan(): void {
    this.#deaf = true;
  }

  #arrive(message: Message, done: (refusal?: Failure) => void): void {
    this.#tell(this.#broker.judge(message), done);
  }

  #tell(fate: Fate, done: (refusal?: Failure) => void): void {
    if (fate.kind === 'hung-up') this.lose({ code: 'connection-closed', message: 'hung up' });
    if (fate.kind !== 'answered') return;
    const nowMs = this.#clock.monotonic();
    // Answers come in the order of the messages (MQTT-4.6.0-2).
    this.#answeredMs = Math.max(this.#answeredMs, nowMs + fate.delayMs);
    this.#clock.after(this.#answeredMs - nowMs, () => {
      if (!this.#cut && !this.#deaf) done(fate.refusal);
    });
  }
}
