import { failureOf, type Failure } from '#bytes/failure.ts';
import { Backoff, type BackoffLimits } from '#link/backoff.ts';
import { encodePack } from '#reading/senml.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import { UNDURABLE_MAX, type Acknowledger } from './acknowledger.ts';
import type { Budget } from './pacing.ts';
import { SendQueue, type Pack, type Refused } from './send-queue.ts';
import { SendWindow } from './send-window.ts';
import type { Session } from './session.ts';
import type { Tallying } from './tally.ts';
import type { Topics } from './topics.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import type { WindowStatus } from './uplink.ts';

/** Fixed header, topic length and packet identifier around topic and payload (MQTT 5, 3.3). */
const PUBLISH_OVERHEAD_BYTES = 16;
/** Entries of the outbox in memory. */
const PAGE_ENTRIES = 1024;
/** The broker owes an answer to each message; one that is silent for so long is gone. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Between retries of a refused stream: rights and quotas are mended by people. */
const REFUSAL_BACKOFF: BackoffLimits = { firstMs: 1000, capMs: 300_000 };

export interface DeliveryParts {
  readonly session: Session;
  readonly backend: string;
  readonly gateway: string;
  readonly topics: Topics;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Lives longer than the session: what was delivered in an earlier one is not sent again. */
  readonly acknowledger: Acknowledger;
  readonly tally: Tallying;
  readonly traffic: TrafficMeter;
  /** What a metered link may carry; it lives longer than the session, too. */
  readonly budget: Budget;
  /** Largest packet to make of several entries, where the broker takes larger ones. */
  readonly packBytesMax: number;
}

/** Sends what is due over one session, from the oldest entry on, until the session is lost. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #queue = new SendQueue();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #timers = new Set<() => void>();
  readonly #window: SendWindow;
  readonly #packBytesMax: number;
  readonly #drained = Promise.withResolvers<undefined>();
  readonly #unsubscribe: () => void;
  #afterId = 0;
  #more = true;
  #reading = false;
  #stopping = false;
  #over = false;
  #cancelTimeout: (() => void) | undefined;
  #saving = false;
  /** Bytes on the wire that the budget knows of. */
  #charged: number;

  constructor(parts: DeliveryParts) {
    const { session, store, backend, gateway } = parts;
    this.#parts = parts;
    this.#window = new SendWindow(session.receiveMaximum);
    this.#charged = parts.traffic.total;
    const bytesMax = Math.min(parts.packBytesMax, session.packetBytesMax);
    this.#packBytesMax = bytesMax - 2 * gateway.length; // in the topic and in the base name
    this.#unsubscribe = store.onDue(backend, () => {
      this.#more = true;
      this.#pump();
    });
    this.#pump();
  }

  /** Streams that the broker refuses, with the failure and the refusals in a row. */
  get refusals(): ReadonlyMap<string, Refused> {
    return this.#queue.refusals;
  }

  get window(): WindowStatus {
    return { messagesMax: this.#window.size, messages: this.#window.inFlight };
  }

  /** Sends nothing new; settles when the broker has answered everything and it is durable. */
  async drain(): Promise<void> {
    this.#stopping = true;
    this.#pump();
    await this.#drained.promise;
    await this.#parts.acknowledger.idle();
  }

  /** Whether nothing waits for an answer, of the broker or of the store. */
  get quiet(): boolean {
    return this.#queue.inFlight === 0 && this.#parts.acknowledger.waiting === 0;
  }

  /** The store has taken acknowledgements: more may be sent. */
  resume(): void {
    this.#pump();
  }

  /** The session is over. */
  end(): void {
    this.#over = true;
    this.#unsubscribe();
    this.#cancelTimeout?.();
    for (const cancel of this.#timers) cancel();
    this.#drained.resolve(undefined);
  }

  #pump(): void {
    if (this.#over) return;
    const { acknowledger } = this.#parts;
    while (!this.#stopping && this.#window.hasPlace(false) && this.#affordable()) {
      if (acknowledger.waiting >= UNDURABLE_MAX) break;
      const pack = this.#queue.next(Math.min(this.#packBytesMax, this.#window.packBytesMax));
      if (pack === undefined) break;
      this.#send(pack);
    }
    if (this.#stopping && this.#queue.inFlight === 0) this.#drained.resolve(undefined);
    if (!this.#stopping && this.#more && !this.#reading && this.#queue.pending === 0) {
      this.#reading = true;
      void this.#read();
    }
  }

  /** Whether the budget lets anything go now; if not, sending goes on as soon as it does. */
  #affordable(): boolean {
    const { clock, budget } = this.#parts;
    const waitMs = budget.waitMs(clock.monotonic());
    if (waitMs > 0 && !this.#saving) {
      this.#saving = true;
      this.#after(waitMs, () => {
        this.#saving = false;
        this.#pump();
      });
    }
    return waitMs === 0;
  }

  /** What was sent is charged at once, what TLS and answers add when it shows. */
  #charge(bytes: number): void {
    const { clock, budget } = this.#parts;
    this.#charged += bytes;
    budget.spend(bytes, clock.monotonic());
  }

  /** One page of the outbox; `#pump` asks for the next when this one has been sent. */
  async #read(): Promise<void> {
    this.#more = false;
    const { store, backend, acknowledger } = this.#parts;
    const afterId = this.#afterId;
    try {
      const entries = await store.due(backend, 'measurement', afterId, PAGE_ENTRIES);
      this.#more ||= entries.length > 0;
      // A stream that resumed meanwhile has moved the mark back.
      if (this.#afterId === afterId) this.#afterId = entries.at(-1)?.id ?? afterId;
      this.#queue.add(entries.filter(({ id }) => !acknowledger.holds(id)));
    } catch (error) {
      this.#fail(error);
    }
    this.#reading = false;
    this.#pump();
  }

  #send(pack: Pack): void {
    try {
      const payload = this.#payloadOf(pack);
      const topic = this.#parts.topics.up(pack.stream);
      const bytes = payload.length + topic.length + PUBLISH_OVERHEAD_BYTES;
      if (bytes > this.#parts.session.packetBytesMax) {
        this.#answered(pack, tooLarge(bytes, this.#parts.session.packetBytesMax));
        return;
      }
      const flying = this.#window.sent(bytes, this.#parts.clock.monotonic());
      this.#charge(bytes);
      this.#parts.session.publish({ topic, payload }, (refusal) => {
        if (this.#over) return;
        const overQuota = refusal?.code === 'quota-exceeded';
        this.#window.answered(flying, this.#parts.clock.monotonic(), overQuota);
        this.#charge(Math.max(0, this.#parts.traffic.total - this.#charged));
        this.#watch();
        this.#answered(pack, refusal);
        this.#pump();
      });
      this.#parts.tally.sent(pack, payload.length);
      if (this.#cancelTimeout === undefined) this.#watch();
    } catch (error) {
      this.#answered(pack, failureOf(error)); // not encodable: its stream waits, no other does
    }
  }

  #payloadOf({ stream, entries }: Pack): Uint8Array {
    const [{ epoch, sequence }] = entries;
    const { gateway } = this.#parts;
    const count = entries.reduce((sum, entry) => sum + entry.count, 0);
    return encodePack({ gateway, stream, epoch, sequence, count }, entries);
  }

  #answered(pack: Pack, refusal: Failure | undefined): void {
    if (refusal !== undefined) {
      this.#refused(pack, refusal);
      return;
    }
    const entries = this.#queue.delivered(pack);
    if (entries.length > 0) {
      const { second, nanosecond } = this.#parts.clock.wall();
      this.#parts.tally.acknowledged(entries, second * 1000 + nanosecond / 1e6);
      this.#parts.acknowledger.add(entries.map(({ id }) => id));
    }
    const refused = this.#queue.refusals.get(pack.stream);
    if (refused?.id === pack.entries[0].id) this.#resume(pack.stream, refused.id);
  }

  #refused(pack: Pack, failure: Failure): void {
    this.#parts.tally.refused(failure);
    const refused = this.#queue.refused(pack, failure);
    if (refused === undefined) return;
    const { entropy, log, backend } = this.#parts;
    const backoff = this.#backoffs.get(pack.stream) ?? new Backoff(entropy, REFUSAL_BACKOFF);
    this.#backoffs.set(pack.stream, backoff);
    const retryMs = Math.round(backoff.next());
    this.#after(retryMs, () => void this.#probe(pack.stream, refused.id));
    const { code, message } = failure;
    log('warning', 'uplink.refused', { backend, stream: pack.stream, code, message, retryMs });
  }

  /** Sends the refused entry again, alone; the rest of its stream waits for the answer. */
  async #probe(stream: string, id: number): Promise<void> {
    try {
      const { store, backend } = this.#parts;
      const [entry] = await store.due(backend, 'measurement', id - 1, 1);
      if (this.#over || this.#stopping) return;
      if (entry?.id === id) this.#send(this.#queue.probe(entry));
      else this.#resume(stream, id - 1); // deleted meanwhile: what follows may go
      this.#pump();
    } catch (error) {
      this.#fail(error);
    }
  }

  #resume(stream: string, throughId: number): void {
    this.#backoffs.delete(stream);
    this.#queue.resume(stream, throughId);
    this.#afterId = Math.min(this.#afterId, throughId);
    this.#more = true;
  }

  /** Runs from the last answer on, as long as one is owed. */
  #watch(): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = this.#parts.clock.after(ANSWER_TIMEOUT_MS, () => {
      this.#cancelTimeout = undefined;
      if (this.#queue.inFlight > 0) this.#parts.session.abort(SILENT);
    });
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
  }

  /** The store is in trouble: nothing is lost, a new session begins where this one stood. */
  #fail(error: unknown): void {
    this.#parts.session.abort(failureOf(error));
  }
}

const SILENT: Failure = {
  code: 'broker-silent',
  message: `the broker did not answer for ${ANSWER_TIMEOUT_MS / 1000} s`,
  hint: 'The connection may be half open, or the broker is overloaded.',
};

function tooLarge(bytes: number, bytesMax: number): Failure {
  return {
    code: 'packet-too-large',
    message: `a packet of ${bytes} bytes, the broker takes ${bytesMax}`,
    hint: 'Raise the maximum packet size on the broker.',
  };
}
