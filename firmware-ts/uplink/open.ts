import { failureOf, type Failure } from '#bytes/failure.ts';
import { ALWAYS_OPEN, scheduleOf, type Schedule } from '#system/schedule.ts';
import { Acknowledger } from './acknowledger.ts';
import { BrokerChoice } from './broker-choice.ts';
import { brokersOf, type Broker } from './brokers.ts';
import { Delivery } from './delivery.ts';
import { greet, leave, LEFT, published } from './greeting.ts';
import { Manifests } from './manifests.ts';
import { backlogDelayMs, budgetOf, UNLIMITED, type Budget } from './pacing.ts';
import { presencesOf, type Presences } from './presence.ts';
import { HangUps } from './quarantine-rule.ts';
import type { Message, Session } from './session.ts';
import { Stop } from './stop.ts';
import { Tallying } from './tally.ts';
import { topicsOf, type Topics } from './topics.ts';
import { TrafficMeter } from './traffic-meter.ts';
import type { Uplink, UplinkOptions, UplinkPorts, UplinkState, UplinkStatus } from './uplink.ts';

/**
 * A session that owes nothing for so long was a success. One that does is when the store has taken
 * an acknowledgement: a broker that takes and a disk that does not is no reason to come at once.
 */
const HELD_MS = 60_000;
/** From the first packet to the broker's welcome; half-open ways and portals never give one. */
const WELCOME_WAIT_MS = 30_000;
/** How often a back-end is told what it has, while that changes. */
const MANIFEST_INTERVAL_MS = 900_000;
/** What took longer to send was a backlog, and its end is told. */
const BACKLOG_MS = 5000;
/** A wall clock may step, so that whoever waits for a time of day looks again. */
const SCHEDULE_LOOK_MS = 60_000;
/** A pack is held in memory by every hop, and its loss repeats it whole. */
const PACK_BYTES_MAX = 32 * 1024;
/** Below this a broker's limit is about single entries, which are never divided. */
const PACK_BYTES_LEAST = 1024;

/**
 * Opens the uplink of one back-end, which connects, sends and mends itself until it is stopped.
 * Errors, thrown at once: `bad-url`, `plaintext-refused`, `bad-name`, `credentials-missing`,
 * `bad-schedule`.
 */
export function openUplink(options: UplinkOptions, ports: UplinkPorts): Uplink {
  return new Running(options, ports);
}

const UNWELCOME: Failure = {
  code: 'broker-silent',
  message: `no welcome within ${WELCOME_WAIT_MS / 1000} s`,
  hint: 'What accepts the connection says nothing: a captive portal, or a broker that hangs.',
};

/** A session with the broker of this place in the list. */
interface Serving {
  readonly place: number;
  readonly session: Session;
}

class Running implements Uplink {
  readonly #options: UplinkOptions;
  readonly #ports: UplinkPorts;
  readonly #brokers: readonly Broker[];
  readonly #choice: BrokerChoice;
  readonly #schedule: Schedule;
  readonly #budget: Budget;
  readonly #topics: Topics;
  readonly #presences: Presences;
  readonly #acknowledger: Acknowledger;
  readonly #manifests: Manifests;
  readonly #tally = new Tallying();
  readonly #traffic = new TrafficMeter();
  readonly #listeners = new Set<(status: UplinkStatus) => void>();
  readonly #stopping = new Stop();
  readonly #running: Promise<void>;
  #state: UplinkState = { kind: 'connecting' };
  #lastFailure: Failure | undefined;
  #serving: (Serving & { readonly delivery: Delivery }) | undefined;
  readonly #hangUps = new HangUps();
  #lostMs: number | undefined;
  /** With which there is or was a session last. */
  #lastPlace = 0;
  #packBytesMax = PACK_BYTES_MAX;

  constructor(options: UplinkOptions, ports: UplinkPorts) {
    const { backend, bytesPerSecond, connect } = options;
    this.#options = options;
    this.#ports = ports;
    this.#brokers = brokersOf(options, ports);
    this.#choice = new BrokerChoice(this.#brokers, ports.entropy);
    this.#schedule = connect === undefined ? ALWAYS_OPEN : scheduleOf(connect);
    this.#budget = bytesPerSecond === undefined ? UNLIMITED : budgetOf(bytesPerSecond);
    this.#topics = topicsOf(options.gateway);
    this.#presences = presencesOf(this.#topics.state, options.software);
    const durable = (): void => this.#durable();
    this.#acknowledger = new Acknowledger({ ...ports, backend, durable });
    const { gateway } = options;
    this.#manifests = new Manifests({ ...ports, backend, gateway, topic: this.#topics.manifest });
    this.#running = this.#run();
  }

  status(): UplinkStatus {
    const delivery = this.#serving?.delivery;
    const refused = Array.from(delivery?.refusals ?? []);
    return {
      ...this.#tally.value,
      state: this.#state,
      ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
      refusedStreams: Object.fromEntries(refused.map(([name, { failure }]) => [name, failure])),
      traffic: this.#traffic.tally(this.#wallMs()),
      ...(delivery === undefined ? {} : { window: delivery.window }),
      lanes: delivery?.lanes ?? [],
    };
  }

  onState(changed: (status: UplinkStatus) => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  async stop(): Promise<void> {
    this.#stopping.request();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.requested) {
      const opening = this.#schedule.at(this.#wallMs());
      if (opening.open) await this.#next();
      else await this.#pause(opening.nextMs);
    }
    this.#manifests.end();
    await this.#acknowledger.end();
    this.#become({ kind: 'stopped' });
  }

  /** One step towards a session, and through it if there is one. */
  async #next(): Promise<void> {
    const nowMs = this.#ports.clock.monotonic();
    const choice = this.#choice.next(nowMs);
    if (choice.kind === 'wait') {
      const retryMs = choice.untilMs - nowMs;
      const failure = this.#lastFailure ?? { code: 'stopped', message: '' };
      this.#become({ kind: 'waiting', failure, retryMs });
      await this.#stopping.sleep(this.#ports.clock, retryMs);
      return;
    }
    const { url } = this.#brokerAt(choice.broker);
    this.#become({ kind: 'connecting', broker: url });
    let serving = await this.#connect(choice.broker, this.#stopping);
    while (serving !== undefined) serving = await this.#serve(serving);
  }

  /** Waits for the schedule's next window. */
  async #pause(nextMs: number): Promise<void> {
    const retryMs = nextMs - this.#wallMs();
    const until = new Date(nextMs).toISOString();
    const message = `the schedule keeps the link closed until ${until}`;
    const failure = { code: 'outside-schedule', message };
    const known = this.#state.kind === 'waiting' && this.#state.failure.message === message;
    if (!known) this.#become({ kind: 'waiting', failure, retryMs });
    await this.#stopping.sleep(this.#ports.clock, Math.min(retryMs, SCHEDULE_LOOK_MS));
  }

  /** Dials; a failure is noted, and there is no session. */
  async #connect(place: number, until: Stop): Promise<Serving | undefined> {
    const { clock } = this.#ports;
    const late = new Stop();
    const cancel = clock.after(WELCOME_WAIT_MS, () => late.request());
    const signal = AbortSignal.any([until.signal, late.signal]);
    try {
      const broker = this.#brokerAt(place);
      const session = await broker.connect({ signal, will: this.#presences.will });
      return { place, session };
    } catch (error) {
      if (!until.requested) this.#failed(place, late.requested ? UNWELCOME : failureOf(error));
      return undefined;
    } finally {
      cancel();
    }
  }

  /** A session until its end; answers one with a better broker, if that is why it ended. */
  async #serve(serving: Serving): Promise<Serving | undefined> {
    const { place, session } = serving;
    const { clock } = this.#ports;
    this.#traffic.begin(session);
    this.#choice.welcomed(place, clock.monotonic());
    const birth = this.#published(session, this.#presences.birth);
    await this.#stopping.or(greet(session, clock, birth));
    const delivery = this.#deliver(session);
    this.#serving = { place, session, delivery };
    this.#lastPlace = place;
    const { url } = this.#brokerAt(place);
    this.#become({ kind: 'online', protocol: session.protocol, broker: url });
    const end: { loss?: Failure } = {};
    void session.lost.then((failure) => (end.loss = failure));
    const better = await this.#stay(serving);
    if (end.loss !== undefined) this.#lost(place, end.loss);
    else await this.#leave(session, delivery);
    delivery.end(end.loss);
    this.#lostMs = clock.monotonic();
    this.#traffic.end(session);
    this.#serving = undefined;
    return better;
  }

  #lost(place: number, failure: Failure): void {
    if (failure.code === 'packet-too-large') {
      this.#packBytesMax = Math.max(PACK_BYTES_LEAST, this.#packBytesMax / 2);
    }
    this.#failed(place, failure);
  }

  async #leave(session: Session, delivery: Delivery): Promise<void> {
    const standing = async (): Promise<void> => {
      const manifest = await this.#manifests.next(session);
      if (manifest !== undefined) await this.#published(session, manifest);
    };
    const goodbye = (): Promise<void> => this.#published(session, this.#presences.goodbye);
    await leave(session, this.#ports.clock, delivery.drain(), [standing, goodbye]);
  }

  #deliver(session: Session): Delivery {
    const { backend, gateway } = this.#options;
    const outageMs = this.#ports.clock.monotonic() - (this.#lostMs ?? Infinity);
    return new Delivery({
      ...this.#ports,
      session,
      backend,
      gateway,
      topics: this.#topics,
      tally: this.#tally,
      acknowledger: this.#acknowledger,
      traffic: this.#traffic,
      budget: this.#budget,
      hangUps: this.#hangUps,
      batchMs: this.#options.batchMs ?? 0,
      backlogDelayMs: backlogDelayMs(outageMs, this.#ports.entropy),
      manifests: this.#manifests,
      drained: (behindMs) => {
        if (behindMs >= BACKLOG_MS) void this.#announce();
      },
      packBytesMax: this.#packBytesMax,
    });
  }

  /** Until the session is lost or to be left; answers one with a better broker. */
  async #stay({ place, session }: Serving): Promise<Serving | undefined> {
    const { clock } = this.#ports;
    const over = new Stop();
    const cancelHeld = clock.after(HELD_MS, () => this.#held());
    void this.#tellStanding(over);
    const found = Promise.withResolvers<Serving>();
    const search = this.#findBetter(place, over).then((better) => {
      if (better === undefined) return undefined;
      found.resolve(better);
      return better;
    });
    await this.#stopping.or(Promise.race([session.lost, found.promise, this.#closing(over)]));
    cancelHeld();
    over.request();
    const better = await search;
    if (better === undefined || !this.#stopping.requested) return better;
    better.session.abort(LEFT);
    return undefined;
  }

  /** At the session's begin, and every quarter of an hour while something changes. */
  async #tellStanding(over: Stop): Promise<void> {
    while (!over.requested) {
      await this.#announce();
      await over.sleep(this.#ports.clock, MANIFEST_INTERVAL_MS);
    }
  }

  async #announce(): Promise<void> {
    const serving = this.#serving;
    const manifest = serving && (await this.#manifests.next(serving.session));
    if (manifest !== undefined) serving?.delivery.announce(manifest);
  }

  /** Dials the better ones beside the present session, each in its time. */
  async #findBetter(place: number, over: Stop): Promise<Serving | undefined> {
    const { clock } = this.#ports;
    for (;;) {
      const better = this.#choice.better(place);
      if (better === undefined) return undefined;
      await over.sleep(clock, better.atMs - clock.monotonic());
      if (over.requested) return undefined;
      const serving = await this.#connect(better.broker, over);
      if (serving !== undefined) return serving;
    }
  }

  /** Settles when the schedule's window is over. */
  async #closing(over: Stop): Promise<void> {
    while (!over.requested) {
      const opening = this.#schedule.at(this.#wallMs());
      if (!opening.open) return;
      const leftMs = opening.untilMs - this.#wallMs();
      const lookMs = leftMs === Infinity ? leftMs : Math.min(leftMs, SCHEDULE_LOOK_MS);
      await over.sleep(this.#ports.clock, lookMs);
    }
  }

  #held(): void {
    if (this.#serving?.delivery.quiet === true) this.#choice.succeeded(this.#lastPlace);
  }

  #durable(): void {
    this.#choice.succeeded(this.#lastPlace);
    this.#serving?.delivery.resume();
  }

  #failed(place: number, failure: Failure): void {
    this.#lastFailure = failure;
    this.#choice.failed(place, this.#ports.clock.monotonic());
    const { code, message } = failure;
    const broker = this.#brokerAt(place).url;
    const { backend } = this.#options;
    this.#ports.log('warning', 'uplink.broker-failed', { backend, broker, code, message });
  }

  #published(session: Session, message: Message): Promise<void> {
    return published(session, message, (refusal) => this.#tally.refused(refusal));
  }

  #brokerAt(place: number): Broker {
    const broker = this.#brokers[place];
    if (broker === undefined) throw new RangeError(`no broker ${place}`);
    return broker;
  }

  #wallMs(): number {
    const { second, nanosecond } = this.#ports.clock.wall();
    return second * 1000 + nanosecond / 1e6;
  }

  #become(state: UplinkState): void {
    this.#state = state;
    const { backend } = this.#options;
    if (state.kind === 'waiting') {
      const { code, message } = state.failure;
      const retryMs = Math.round(state.retryMs);
      this.#ports.log('warning', 'uplink.waiting', { backend, code, message, retryMs });
    } else this.#ports.log('info', `uplink.${state.kind}`, { backend });
    for (const listener of this.#listeners) listener(this.status());
  }
}
