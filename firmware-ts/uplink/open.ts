import { failureOf, type Failure } from '#bytes/failure.ts';
import { wallMs } from '#system/clock.ts';
import { ALWAYS_OPEN, scheduleOf, type Schedule } from '#system/schedule.ts';
import { machineZstd } from '#system/zstd.ts';
import { Acknowledger } from './acknowledger.ts';
import type { Lasting } from './delivery-parts.ts';
import { Events } from './events.ts';
import { Manifests } from './manifests.ts';
import { backlogDelayMs, budgetOf, UNLIMITED } from './pacing.ts';
import { presencesOf, type Presences } from './presence.ts';
import { Quarantine } from './quarantine.ts';
import { HangUps } from './quarantine-rule.ts';
import { Reach, type Reached } from './reach.ts';
import { Receipts, releaseAwaited } from './receipts.ts';
import { SCHEDULE_LOOK_MS, Serving } from './serving.ts';
import { Stop } from './stop.ts';
import { Tallying } from './tally.ts';
import { topicsOf } from './topics.ts';
import { TrafficMeter } from './traffic-meter.ts';
import { Urgency } from './urgency.ts';
import type { Uplink, UplinkOptions, UplinkPorts, UplinkState, UplinkStatus } from './uplink.ts';

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

class Running implements Uplink {
  readonly #options: UplinkOptions;
  readonly #ports: UplinkPorts;
  readonly #schedule: Schedule;
  readonly #presences: Presences;
  readonly #reach: Reach;
  readonly #lasting: Lasting;
  readonly #urgency: Urgency;
  readonly #receipts: Receipts | undefined;
  readonly tell: Uplink['tell'];
  readonly #listeners = new Set<(status: UplinkStatus) => void>();
  readonly #stopping = new Stop();
  readonly #running: Promise<void>;
  #state: UplinkState = { kind: 'connecting' };
  #serving: Serving | undefined;
  /** When the last session ended, and whether there was a better one. */
  #left: { readonly atMs: number; readonly forBetter: boolean } | undefined;
  /** With which there is or was a session last. */
  #lastPlace = 0;
  #packBytesMax = PACK_BYTES_MAX;
  /** The store asks no more what went over the link. */
  #endTraffic: () => void = () => undefined;

  constructor(options: UplinkOptions, ports: UplinkPorts) {
    this.#options = options;
    this.#ports = ports;
    const { connect, gateway } = options;
    this.#schedule = connect === undefined ? ALWAYS_OPEN : scheduleOf(connect);
    this.#presences = presencesOf(topicsOf(gateway).state, options);
    const topic = topicsOf(gateway).receipts;
    const { will } = this.#presences;
    this.#receipts =
      options.receipts === true ? new Receipts({ ...options, ...ports, topic }) : undefined;
    this.#reach = new Reach(options, ports, will);
    this.#lasting = lastingOf(options, ports, () => this.#durable());
    this.#urgency = new Urgency(this.#lasting);
    const { events } = this.#lasting;
    this.tell = (event, fields) => events.tell(event, fields);
    this.#running = this.#run();
  }

  status(): UplinkStatus {
    const delivery = this.#serving?.delivery;
    const refused = Array.from(delivery?.refusals ?? []);
    const { tally, traffic, events } = this.#lasting;
    const { lastFailure } = this.#reach;
    return {
      ...tally.value,
      state: this.#state,
      ...(lastFailure === undefined ? {} : { lastFailure }),
      refusedStreams: Object.fromEntries(refused.map(([name, { failure }]) => [name, failure])),
      traffic: traffic.tally,
      events: events.tally,
      ...(this.#receipts === undefined ? {} : { receipts: this.#receipts.tally }),
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
    await this.#resume();
    const looked = this.#urgency.look(); // a link that is open does not wait for it
    await this.#rest(this.#options.firstDialMs ?? 0);
    while (!this.#stopping.requested) {
      const opening = this.#schedule.at(wallMs(this.#ports.clock));
      if (opening.open || this.#urgency.callsInMs === 0) await this.#next();
      else await this.#pause(opening.nextMs);
    }
    await looked;
    this.#urgency.end();
    this.#lasting.manifests.end();
    this.#lasting.traffic.close();
    this.#endTraffic();
    await this.#lasting.acknowledger.end();
    await this.#receipts?.end();
    this.#become({ kind: 'stopped' });
  }

  /** Nobody dials yet, unless something urgent is due. */
  async #rest(retryMs: number): Promise<void> {
    if (retryMs === 0) return;
    const message = 'the machine has just booted, and others with it: dials are spread';
    this.#become({ kind: 'waiting', failure: { code: 'after-boot', message }, retryMs });
    await this.#urgency.sleep(this.#stopping, retryMs);
  }

  /** One step towards a session, and through it if there is one. */
  async #next(): Promise<void> {
    const { clock } = this.#ports;
    const choice = this.#reach.next(this.#urgency.patienceMs);
    if (choice.kind === 'wait') {
      const retryMs = Math.ceil(choice.untilMs - clock.monotonic()); // timers count whole ones
      const failure = this.#reach.lastFailure ?? { code: 'stopped', message: '' };
      this.#become({ kind: 'waiting', failure, retryMs });
      await this.#urgency.sleep(this.#stopping, retryMs);
      return;
    }
    this.#become({ kind: 'connecting', broker: this.#reach.urlAt(choice.broker) });
    let reached = await this.#reach.connect(choice.broker, this.#stopping);
    while (reached !== undefined) reached = await this.#serve(reached);
  }

  /** Waits for the schedule's next window, or for what does not. */
  async #pause(nextMs: number): Promise<void> {
    const retryMs = nextMs - wallMs(this.#ports.clock);
    const until = new Date(nextMs).toISOString();
    const message = `the schedule keeps the link closed until ${until}`;
    const failure = { code: 'outside-schedule', message };
    const known = this.#state.kind === 'waiting' && this.#state.failure.message === message;
    if (!known) this.#become({ kind: 'waiting', failure, retryMs });
    const lookMs = Math.min(retryMs, SCHEDULE_LOOK_MS, this.#urgency.callsInMs);
    await this.#urgency.sleep(this.#stopping, lookMs);
  }

  /** A session until its end; answers one with a better broker, if that is why it ended. */
  async #serve(reached: Reached): Promise<Reached | undefined> {
    const { place, session } = reached;
    const { clock, entropy } = this.#ports;
    const outageMs = clock.monotonic() - (this.#left?.atMs ?? Infinity);
    const urgentOnly = !this.#schedule.at(wallMs(clock)).open;
    const serving = new Serving(
      {
        ...this.#lasting,
        reach: this.#reach,
        schedule: this.#schedule,
        presences: this.#presences,
        receipts: this.#receipts,
        stopping: this.#stopping,
        urgentOnly,
        batchMs: this.#options.batchMs ?? 0,
        backlogDelayMs: backlogDelayMs(outageMs, entropy),
        packBytesMax: this.#packBytesMax,
      },
      reached,
    );
    this.#serving = serving;
    this.#arrived(place);
    const broker = this.#reach.urlAt(place);
    const online = (): void => this.#become({ kind: 'online', protocol: session.protocol, broker });
    const { loss, better } = await serving.run(online);
    this.#serving = undefined;
    this.#left = { atMs: clock.monotonic(), forBetter: better !== undefined };
    if (loss === undefined) this.#reach.left(place);
    else this.#lost(place, loss);
    await this.#urgency.look();
    if (urgentOnly && loss === undefined) this.#urgency.left();
    return better;
  }

  /** There is a session with the broker at `place`. */
  #arrived(place: number): void {
    const before = this.#lastPlace;
    this.#lastPlace = place;
    if (this.#left === undefined || before === place) return;
    const failure = this.#left.forBetter ? undefined : this.#reach.lastFailure;
    const [from, to] = [this.#reach.urlAt(before), this.#reach.urlAt(place)];
    const code = failure?.code ?? 'better-broker';
    this.#lasting.events.tell('broker-changed', { from, to, code });
  }

  #lost(place: number, failure: Failure): void {
    if (failure.code === 'packet-too-large') {
      this.#packBytesMax = Math.max(PACK_BYTES_LEAST, this.#packBytesMax / 2);
    }
    this.#reach.failed(place, failure);
  }

  /** Takes up what earlier starts have left; where the store refuses, the link is used without. */
  async #resume(): Promise<void> {
    const { backend } = this.#options;
    const { store } = this.#ports;
    const { traffic } = this.#lasting;
    try {
      traffic.restore(await store.traffic(backend));
      this.#endTraffic = store.holdTraffic(backend, () => traffic.days);
      // What was kept for receipts that nobody awaits any more would be bounded like the rest.
      if (this.#receipts === undefined) await releaseAwaited(store, backend);
    } catch (error) {
      const { code, message } = failureOf(error);
      this.#ports.log('warning', 'uplink.store-refused', { backend, code, message });
    }
  }

  #durable(): void {
    this.#receipts?.awaited();
    this.#reach.succeeded(this.#lastPlace);
    this.#serving?.delivery?.resume();
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

function lastingOf(options: UplinkOptions, ports: UplinkPorts, durable: () => void): Lasting {
  const { backend, gateway, receipts, bytesPerSecond, compression = 'none' } = options;
  const { format = 'senml+cbor' } = options;
  const topics = topicsOf(gateway);
  const events = new Events({ ...ports, topic: topics.events });
  const awaitReceipt = receipts === true;
  const acknowledger = new Acknowledger({ ...ports, backend, durable, awaitReceipt });
  const undurable = (): boolean => acknowledger.waiting > 0;
  return {
    ...ports,
    backend,
    gateway,
    topics,
    format,
    ...(compression === 'zstd' ? { compression: machineZstd } : {}),
    acknowledger,
    manifests: new Manifests({ ...ports, backend, gateway, topic: topics.manifest, undurable }),
    tally: new Tallying(),
    traffic: new TrafficMeter(ports.clock),
    budget: bytesPerSecond === undefined ? UNLIMITED : budgetOf(bytesPerSecond),
    hangUps: new HangUps(),
    quarantine: new Quarantine({ ...ports, backend, events }),
    events,
  };
}
