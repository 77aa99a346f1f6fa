import { failureOf, type Failure } from '#bytes/failure.ts';
import { DELIVERY_CLASSES, type DeliveryClass } from '#policy/delivery-class.ts';
import { encodePack } from '#reading/senml.ts';
import type { DueEntry, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import { UNDURABLE_MAX, type Acknowledger } from './acknowledger.ts';
import { Lane, type Outgoing } from './lane.ts';
import type { Manifests } from './manifests.ts';
import type { Pack } from './pack.ts';
import type { Budget } from './pacing.ts';
import { Publisher } from './publisher.ts';
import type { HangUps } from './quarantine-rule.ts';
import { verdictOnRefusal, type Suspect } from './quarantine-rule.ts';
import { Retries } from './retries.ts';
import type { Refused } from './send-queue.ts';
import type { Message, Session } from './session.ts';
import type { Tallying } from './tally.ts';
import type { Topics } from './topics.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import type { LaneStatus, WindowStatus } from './uplink.ts';

/** These go at once: they have places of their own in flight, and wait for no budget. */
const URGENT: ReadonlySet<DeliveryClass> = new Set(['command', 'alarm']);

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
  readonly manifests: Manifests;
  /** What earlier sessions ended over. */
  readonly hangUps: HangUps;
  /** Largest packet to make of several entries, where the broker takes larger ones. */
  readonly packBytesMax: number;
  /** What is new waits so long for more of its kind; what is urgent does not. */
  readonly batchMs: number;
  /** What was there before the session waits so long, unless it is urgent. */
  readonly backlogDelayMs: number;
  /** Called when nothing waits any more, with how long something did. */
  readonly drained: (behindMs: number) => void;
}

/** Entries of other streams may stand between those of a pack; what is not found goes later. */
const PAGE_SHARE = 4;
/** Topic, base name and key around the records of an entry, names of the longest sort. */
const PIECE_MARGIN_BYTES = 320;

interface Flight {
  readonly lane: Lane;
  readonly pack: Pack;
}

/** Sends what is due over one session, the most urgent first, until the session is lost. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #lanes: readonly Lane[];
  readonly #publisher: Publisher;
  readonly #retries: Retries;
  /** What was sent in its order and not answered, the oldest first. */
  readonly #flights = new Set<Flight>();
  readonly #empty = Promise.withResolvers<undefined>();
  readonly #unsubscribe: () => void;
  readonly #packBytesMax: number;
  #stopping = false;
  #over = false;
  #behindSinceMs: number | undefined;
  readonly #announcements: Message[] = [];
  /** In which an entry is tried: nothing else is sent, and one observation at a time. */
  #trial: Lane | undefined;
  #trialReady = false;

  constructor(parts: DeliveryParts) {
    const { session, store, backend, gateway, hangUps } = parts;
    this.#parts = parts;
    const bytesMax = Math.min(parts.packBytesMax, session.packetBytesMax);
    this.#packBytesMax = bytesMax - 2 * gateway.length; // in the topic and in the base name
    const pieceBytesMax = this.#packBytesMax - PIECE_MARGIN_BYTES;
    const ready = (): void => this.#pump();
    const failed = (error: unknown): void => session.abort(failureOf(error));
    this.#lanes = DELIVERY_CLASSES.map((of) => {
      const urgent = URGENT.has(of);
      const waits = urgent ? { batchMs: 0, backlogDelayMs: 0 } : {};
      return new Lane({ ...parts, ...waits, of, pieceBytesMax, ready, failed });
    });
    this.#publisher = new Publisher({ ...parts, ready });
    this.#retries = new Retries(parts, (lane, stream, id) => this.#probe(lane, stream, id));
    this.#unsubscribe = store.onDue(backend, (owed) => {
      for (const lane of this.#lanes) {
        const range = owed[lane.of];
        if (range !== undefined) lane.woken(range);
      }
      this.#pump();
    });
    if (hangUps.suspect !== undefined) void this.#try(hangUps.suspect);
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
    this.#stopping = true;
    this.#pump();
    await this.#empty.promise;
    await this.#parts.acknowledger.idle();
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
  announce(message: Message): void {
    this.#announcements.push(message);
    this.#pump();
  }

  /** The session is over, because of this failure if it was lost. */
  end(failure?: Failure): void {
    this.#over = true;
    this.#unsubscribe();
    this.#publisher.end();
    this.#retries.end();
    for (const lane of this.#lanes) lane.end();
    this.#empty.resolve(undefined);
    if (failure !== undefined) this.#lost(failure);
  }

  #pump(): void {
    if (this.#over) return;
    if (!this.#stopping) this.#goOnTrying();
    if (!this.#stopping && this.#trial === undefined) this.#sendAll();
    if (this.#stopping && this.#publisher.inFlight === 0) this.#empty.resolve(undefined);
    if (this.#stopping || this.#trial !== undefined) return;
    for (const lane of this.#lanes) lane.fill();
    this.#noteDrained();
  }

  #sendAll(): void {
    while (this.#announcements.length > 0 && this.#publisher.mayPublish(true)) {
      const message = this.#announcements.shift();
      if (message !== undefined)
        this.#publisher.publish(message, (refusal) => this.#copied(refusal));
    }
    while (this.#parts.acknowledger.waiting < UNDURABLE_MAX) {
      const next = this.#next();
      if (next === undefined) return;
      this.#send(next.lane, next.outgoing);
    }
  }

  #next(): { readonly lane: Lane; readonly outgoing: Outgoing } | undefined {
    const bytesMax = Math.min(this.#packBytesMax, this.#publisher.packBytesMax);
    for (const lane of this.#lanes) {
      if (!this.#publisher.mayPublish(URGENT.has(lane.of))) return undefined;
      const outgoing = lane.next(bytesMax);
      if (outgoing !== undefined) return { lane, outgoing };
    }
    return undefined;
  }

  #send(lane: Lane, { kind, pack }: Outgoing): void {
    const copy = kind === 'live';
    try {
      const message = this.#messageOf(kind, pack);
      const bytes = this.#publisher.packetBytes(message);
      if (bytes > this.#parts.session.packetBytesMax) {
        if (!copy) this.#refused(lane, pack, tooLarge(bytes, this.#parts.session.packetBytesMax));
        return;
      }
      const flight = { lane, pack };
      if (!copy) this.#flights.add(flight);
      this.#publisher.publish(message, (refusal) => {
        this.#flights.delete(flight);
        if (copy) this.#copied(refusal);
        else this.#answered(lane, pack, refusal);
      });
      this.#parts.tally.sent(pack, message.payload.length);
    } catch (error) {
      if (!copy) this.#refused(lane, pack, unencodable(error));
    }
  }

  #messageOf(kind: Outgoing['kind'], { stream, entries }: Pack): Message {
    const { gateway, topics } = this.#parts;
    const [{ epoch, sequence }] = entries;
    const count = observationsIn({ stream, entries });
    const payload = encodePack({ gateway, stream, epoch, sequence, count }, entries);
    return { topic: kind === 'up' ? topics.up(stream) : topics.live(stream), payload };
  }

  /** A refused copy or announcement costs nothing: what it says is said again. */
  #copied(refusal: Failure | undefined): void {
    if (refusal !== undefined) this.#parts.tally.refused(refusal);
  }

  #answered(lane: Lane, pack: Pack, refusal: Failure | undefined): void {
    if (this.#trial === undefined) this.#parts.hangUps.answered(pack.entries.map(({ id }) => id));
    if (refusal !== undefined) {
      this.#refused(lane, pack, refusal);
      return;
    }
    const refused = lane.queue.refusals.get(pack.stream);
    const [{ id, partial }] = pack.entries;
    const entries = lane.queue.delivered(pack);
    if (entries.length > 0) this.#acknowledge(entries);
    if (refused?.id === id) this.#resume(lane, pack.stream, partial === true ? id - 1 : id);
  }

  #acknowledge(entries: readonly DueEntry[]): void {
    const { second, nanosecond } = this.#parts.clock.wall();
    const nowMs = second * 1000 + nanosecond / 1e6;
    this.#parts.tally.acknowledged(entries, nowMs);
    this.#parts.manifests.change();
    this.#parts.traffic.look(nowMs);
    this.#parts.acknowledger.add(entries.map(({ id }) => id));
  }

  #refused(lane: Lane, pack: Pack, failure: Failure): void {
    this.#parts.tally.refused(failure);
    const refused = lane.queue.refused(pack, failure);
    if (refused === undefined) return;
    const verdict = verdictOnRefusal(failure.code, observationsIn(pack));
    if (verdict === 'wait') this.#retries.later(lane, pack.stream, refused);
    else if (verdict === 'alone') void this.#divide(lane, pack);
    else void this.#quarantine(lane, pack.stream, refused);
  }

  /** Sets the entry aside; what follows it in its stream goes on. */
  async #quarantine(lane: Lane, stream: string, { id, failure }: Refused): Promise<void> {
    const { store, backend, log, session } = this.#parts;
    try {
      await store.quarantine(backend, id, failure);
      const { code, message } = failure;
      log('warning', 'uplink.quarantined', { backend, stream, id, code, message });
      this.#resume(lane, stream, id);
      this.#pump();
    } catch (error) {
      session.abort(failureOf(error));
    }
  }

  /** Sends what `pack` held again, each observation alone. */
  async #divide(lane: Lane, { stream, entries }: Pack): Promise<void> {
    const [{ id: firstId }] = entries;
    const lastId = entries.at(-1)?.id ?? firstId;
    const due = await this.#due(lane.of, firstId, entries.length * PAGE_SHARE);
    if (this.#over) return;
    const again = due.filter((entry) => entry.stream === stream && entry.id <= lastId);
    if (again.length === 0) this.#resume(lane, stream, firstId - 1);
    else lane.alone(again);
    this.#pump();
  }

  /** Sends the refused entry again, alone; the rest of its stream waits for the answer. */
  async #probe(lane: Lane, stream: string, id: number): Promise<void> {
    const entry = await this.#entry(lane.of, id);
    if (this.#over || this.#stopping) return;
    if (entry !== undefined) {
      this.#send(lane, { kind: 'up', pack: this.#question(lane, entry) });
    } else this.#resume(lane, stream, id - 1); // gone meanwhile: what follows may go
    this.#pump();
  }

  /** Sends the entry over which the broker may have hung up, observation by observation. */
  async #try({ id, of }: Suspect): Promise<void> {
    this.#trial = this.#lanes.find((lane) => lane.of === of);
    const entry = await this.#entry(of, id);
    if (this.#over) return;
    if (entry !== undefined) this.#trial?.alone([entry]);
    this.#trialReady = true;
    this.#pump();
  }

  #goOnTrying(): void {
    if (this.#trial === undefined || !this.#trialReady || this.#publisher.inFlight > 0) return;
    const pack = this.#trial.queue.next(this.#packBytesMax);
    if (pack !== undefined) this.#send(this.#trial, { kind: 'up', pack });
    else {
      this.#parts.hangUps.dismiss(); // it was taken, or refused with a word
      this.#trial = undefined;
    }
  }

  #question(lane: Lane, entry: DueEntry): Pack {
    return lane.queue.probe(entry, this.#packBytesMax - PIECE_MARGIN_BYTES);
  }

  async #entry(of: DeliveryClass, id: number): Promise<DueEntry | undefined> {
    const [entry] = await this.#due(of, id, 1);
    return entry?.id === id ? entry : undefined;
  }

  /** What is due from the entry `firstId` on. */
  async #due(of: DeliveryClass, firstId: number, limit: number): Promise<readonly DueEntry[]> {
    const { store, backend, session } = this.#parts;
    try {
      return await store.due(backend, of, firstId - 1, limit);
    } catch (error) {
      session.abort(failureOf(error));
      return [];
    }
  }

  #resume(lane: Lane, stream: string, throughId: number): void {
    this.#retries.forget(stream);
    lane.resume(stream, throughId);
  }

  /** Who was in flight may be why; the next session finds out. */
  #lost(failure: Failure): void {
    const { hangUps, store, backend, log } = this.#parts;
    const [first] = this.#flights;
    if (first === undefined) return;
    const [entry] = first.pack.entries;
    const alone = first.pack.entries.length === 1 && this.#publisher.inFlight === 1;
    const oldest = { id: entry.id, of: first.lane.of };
    if (hangUps.lost({ code: failure.code, oldest, alone }) !== 'quarantine') return;
    const { code, message } = failure;
    const fields = { backend, stream: first.pack.stream, id: entry.id, code, message };
    store.quarantine(backend, entry.id, failure).then(
      () => log('warning', 'uplink.quarantined', fields),
      (error: unknown) => {
        const { code: storeCode } = failureOf(error);
        log('warning', 'uplink.store-refused', { ...fields, code: storeCode });
      },
    );
  }

  #noteDrained(): void {
    const nowMs = this.#parts.clock.monotonic();
    if (this.#lanes.some((lane) => lane.behind) || this.#publisher.inFlight > 0) {
      this.#behindSinceMs ??= nowMs;
    } else if (this.#behindSinceMs !== undefined) {
      const behindMs = nowMs - this.#behindSinceMs;
      this.#behindSinceMs = undefined;
      this.#parts.drained(behindMs);
    }
  }
}

function observationsIn({ entries }: Pack): number {
  return entries.reduce((sum, entry) => sum + entry.count, 0);
}

function tooLarge(bytes: number, bytesMax: number): Failure {
  return {
    code: 'packet-too-large',
    message: `a packet of ${bytes} bytes, the broker takes ${bytesMax}`,
    hint: 'Raise the maximum packet size on the broker.',
  };
}

/** No payload can be made of it, or no topic of its name. */
function unencodable(error: unknown): Failure {
  const { code, message } = failureOf(error);
  return { code: 'unencodable', message: `${message} (${code})` };
}
