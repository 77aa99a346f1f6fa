import type { Failure } from '#bytes/failure.ts';
import type { Schedule } from '#system/schedule.ts';
import { wallMs } from '#system/clock.ts';
import { Delivery } from './delivery.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { greet, leave, LEFT, published } from './greeting.ts';
import type { Presences } from './presence.ts';
import type { Reach, Reached } from './reach.ts';
import type { Receipts } from './receipts.ts';
import type { Message } from './session.ts';
import { Stop } from './stop.ts';

/**
 * A session that owes nothing for so long was a success. One that does is when the store has taken
 * an acknowledgement: a broker that takes and a disk that does not is no reason to come at once.
 */
const HELD_MS = 60_000;
/** How often a back-end is told what it has, while that changes. */
const MANIFEST_INTERVAL_MS = 900_000;
/** What took longer to send was a backlog, and its end is told. */
const BACKLOG_MS = 5000;
/** After the last urgent message outside the schedule: another often follows. */
const LINGER_MS = 10_000;
/** A wall clock may step, so that whoever waits for a time of day looks again. */
export const SCHEDULE_LOOK_MS = 60_000;

export interface ServingParts extends Omit<DeliveryParts, 'session' | 'drained'> {
  readonly reach: Reach;
  readonly schedule: Schedule;
  readonly presences: Presences;
  /** Absent where none are awaited. */
  readonly receipts: Receipts | undefined;
  /** The uplink is being stopped. */
  readonly stopping: Stop;
}

/** How a session ended: it was lost, or left; perhaps for a better broker. */
export interface Ending {
  readonly loss?: Failure;
  readonly better?: Reached;
}

/** One session with a broker, from its welcome to its end. */
export class Serving {
  readonly #parts: ServingParts;
  readonly #reached: Reached;
  #delivery: Delivery | undefined;
  /** Of our own that have no answer: birth, manifest, goodbye. */
  #words = 0;

  constructor(parts: ServingParts, reached: Reached) {
    this.#parts = parts;
    this.#reached = reached;
  }

  /** Absent until the broker has answered the birth. */
  get delivery(): Delivery | undefined {
    return this.#delivery;
  }

  /** Greets, calls `online`, and delivers until the session is lost or to be left. */
  async run(online: () => void): Promise<Ending> {
    const { place, session } = this.#reached;
    const { traffic, reach, stopping, clock, presences } = this.#parts;
    traffic.begin(session);
    reach.welcomed(place);
    const end: { loss?: Failure } = {};
    void session.lost.then((failure) => (end.loss = failure));
    const birth = this.#published(presences.birth);
    await stopping.or(greet(session, clock, birth));
    // Without its answer nothing else is sent, and nothing else may be why a session is lost.
    const greeted = end.loss === undefined && !stopping.requested;
    const ending = greeted ? await this.#converse(online, end) : { ...end };
    if (!greeted && ending.loss === undefined) await this.#leave(birth, false);
    traffic.end(session);
    return ending;
  }

  /** All behind the birth; `end` has a loss as soon as there is one. */
  async #converse(online: () => void, end: Pick<Ending, 'loss'>): Promise<Ending> {
    const { events, urgentOnly, receipts } = this.#parts;
    const { place, session } = this.#reached;
    receipts?.listening.begin(session, place);
    const delivery = this.#deliver();
    this.#delivery = delivery;
    online();
    events.begin((message, done) => delivery.announce(message, done));
    const better = await this.#stay();
    const { loss } = end; // where there is none yet, the end is our own
    if (loss === undefined) await this.#leave(delivery.drain(), !urgentOnly);
    const overReceipts = receipts?.listening.end(loss) === true;
    delivery.end(overReceipts ? undefined : loss);
    events.end();
    return {
      ...(loss === undefined ? {} : { loss }),
      ...(better === undefined ? {} : { better }),
    };
  }

  #deliver(): Delivery {
    return new Delivery({
      ...this.#parts,
      session: this.#reached.session,
      drained: (behindMs) => {
        if (behindMs >= BACKLOG_MS && !this.#parts.urgentOnly) void this.#announce();
      },
    });
  }

  async #leave(drained: Promise<unknown>, tellsStanding: boolean): Promise<void> {
    const { session } = this.#reached;
    const { manifests, clock, presences, tally } = this.#parts;
    manifests.begin();
    const standing = (): Promise<void> =>
      this.#tellAll((message, done) => {
        if (!this.#hasPlace) return;
        this.#words += 1;
        session.publish(message, (refusal) => {
          this.#words -= 1;
          if (refusal !== undefined) tally.refused(refusal);
          done(refusal);
        });
      });
    await leave(session, clock, {
      drained,
      standing: () => (tellsStanding ? standing() : Promise.resolve()),
      goodbye: () => (this.#hasPlace ? this.#published(presences.goodbye) : undefined),
    });
  }

  /** Until the session is lost or to be left; answers one with a better broker. */
  async #stay(): Promise<Reached | undefined> {
    const { place, session } = this.#reached;
    const { clock, reach, stopping } = this.#parts;
    const over = new Stop();
    const cancelHeld = clock.after(HELD_MS, () => this.#held());
    if (!this.#parts.urgentOnly) void this.#tellStanding(over);
    const found = Promise.withResolvers<Reached>();
    const search = reach.better(place, over).then((better) => {
      if (better !== undefined) found.resolve(better);
      return better;
    });
    await stopping.or(Promise.race([session.lost, found.promise, this.#closing(over)]));
    cancelHeld();
    over.request();
    const better = await search;
    if (better === undefined || !stopping.requested) return better;
    better.session.abort(LEFT);
    return undefined;
  }

  #held(): void {
    if (this.#delivery?.quiet === true) this.#parts.reach.succeeded(this.#reached.place);
  }

  /** At the session's begin, and every quarter of an hour while something changes. */
  async #tellStanding(over: Stop): Promise<void> {
    while (!over.requested) {
      await this.#announce();
      await over.sleep(this.#parts.clock, MANIFEST_INTERVAL_MS);
    }
  }

  async #announce(): Promise<void> {
    await this.#tellAll((message, done) => this.#delivery?.announce(message, done));
  }

  /** One manifest, and others behind it until none leaves anything to the next. */
  async #tellAll(send: Delivery['announce']): Promise<void> {
    const { manifests } = this.#parts;
    for (let more = true; more;) {
      const manifest = await manifests.next(this.#packetBytesMax);
      if (manifest === undefined) return;
      const { message, telling } = manifest;
      const refusal = await new Promise<Failure | undefined>((resolve) => send(message, resolve));
      if (refusal !== undefined) more = manifests.refused(refusal, telling);
      else more = await manifests.heard(telling);
    }
  }

  /** Of a message that is made of several. */
  get #packetBytesMax(): number {
    return Math.min(this.#reached.session.packetBytesMax, this.#parts.packBytesMax);
  }

  /** Settles when the schedule's window is over; outside, when all that is urgent has gone. */
  async #closing(over: Stop): Promise<void> {
    const { clock, schedule, urgentOnly } = this.#parts;
    if (urgentOnly) return this.#resting(over);
    while (!over.requested) {
      const opening = schedule.at(wallMs(clock));
      if (!opening.open) return;
      const leftMs = opening.untilMs - wallMs(clock);
      const lookMs = leftMs === Infinity ? leftMs : Math.min(leftMs, SCHEDULE_LOOK_MS);
      await over.sleep(clock, lookMs);
    }
  }

  /** Or when the schedule opens the link to everything. */
  async #resting(over: Stop): Promise<void> {
    const { clock, schedule } = this.#parts;
    while (!over.requested && !schedule.at(wallMs(clock)).open) {
      const leftMs = LINGER_MS - (this.#delivery?.restingMs ?? 0);
      if (leftMs <= 0) return;
      await over.sleep(clock, leftMs);
    }
  }

  /** Whether the broker can receive one more (MQTT 5, 3.3.4): also when we leave. */
  get #hasPlace(): boolean {
    const inFlight = this.#words + (this.#delivery?.window.messages ?? 0);
    return inFlight < this.#reached.session.receiveMaximum;
  }

  async #published(message: Message): Promise<boolean> {
    const { tally } = this.#parts;
    this.#words += 1;
    const taken = await published(this.#reached.session, message, (refusal) =>
      tally.refused(refusal),
    );
    this.#words -= 1;
    return taken;
  }
}
