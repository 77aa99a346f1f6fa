import { OperatingError, type Failure } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { BootClock, WallClock } from '#sim/life/boot-clock.ts';
import { BrokerSession, type Fate, type SessionLimits } from '#sim/life/broker-session.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere, type HereOptions, type StoreHere } from '#store/here.ts';
import type { NamedGap } from '#store/store.ts';
import { openUplink } from '#uplink/open.ts';
import type { Dialing, Message, Session } from '#uplink/session.ts';
import type { Uplink, UplinkOptions } from '#uplink/uplink.ts';
import { oweIn } from './outbox.ts';
import { seeded } from './seeded.ts';
import { GATEWAY, sequencesOf } from './uplink.ts';

/** What the broker does with a message unless a test says otherwise. */
export const TAKEN: Fate = { kind: 'answered', delayMs: 50 };
/** One way, and how long a commit may wait for company. */
const WAY_MS = 20;
const COMMITTED_MS = 100;
const GONE: Failure = { code: 'connection-closed', message: 'the broker has gone' };
/** For taking leave of a broker that says nothing. */
const STOP_MS = 20_000;

export interface VirtualUplinkOptions extends Omit<HereOptions, 'clock'> {
  readonly uplink?: Partial<UplinkOptions>;
  readonly seed?: number;
  /** Called with each store that was opened. */
  readonly observe?: (store: StoreHere) => StoreHere;
}

export interface Arrived {
  readonly atMs: number;
  /** Of the broker. */
  readonly port: number;
  /** The topic without what is before its last words. */
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** One start of the process. */
interface Life {
  readonly clock: BootClock;
  readonly store: StoreHere;
  readonly uplink: Uplink;
}

/** An uplink and its store through their lives; broker and way have no time but the test's. */
export class VirtualUplink {
  readonly clock = new VirtualClock();
  readonly wall = new WallClock(this.clock);
  readonly arrived: Arrived[] = [];
  /** When the broker was dialled. */
  readonly dials: number[] = [];
  readonly named: NamedGap[] = [];
  /** What the broker does with a message; nobody listens while it is absent. */
  fate: ((message: Message) => Fate) | undefined = () => TAKEN;
  /** Ports where nobody listens. */
  readonly dead = new Set<number>();
  /** What the broker does with a subscription. */
  subscribed: () => Fate = () => TAKEN;
  /** What the next session begins with. */
  limits: SessionLimits = {};
  /** Messages that a session may not have sent: too many in flight, or too large. */
  readonly violations: string[] = [];
  readonly #options: VirtualUplinkOptions;
  readonly #sessions = new Set<BrokerSession>();
  #life: Life | undefined;

  constructor(options: VirtualUplinkOptions) {
    this.#options = options;
  }

  get store(): StoreHere {
    return this.#running.store;
  }

  get uplink(): Uplink {
    return this.#running.uplink;
  }

  /** Opens the store, and after `before` the uplink. */
  async start(before: (store: StoreHere) => Promise<void> = () => Promise.resolve()) {
    const clock = new BootClock(this.clock, this.wall);
    const { uplink: options, seed = 5, observe, ...here } = this.#options;
    const opened = await openStoreHere({ ...here, clock });
    const store = observe?.(opened) ?? opened;
    store.onGap((gap) => this.named.push(gap));
    await Promise.all([before(store), this.clock.run(COMMITTED_MS)]);
    const dial = ({ target }: Dialing): Promise<Session> => this.#dial(target.port);
    const ports = { store, clock, entropy: seeded(seed), log: () => undefined, dial };
    const uplink = openUplink({ ...GATEWAY, url: 'mqtt://127.0.0.1:1883', ...options }, ports);
    this.#life = { clock, store, uplink };
    await this.clock.run(0);
  }

  /** Takes leave of the broker and closes the store. */
  async stop(): Promise<void> {
    const { store, uplink } = this.#running;
    const stopped = uplink.stop().then(() => store.close());
    await this.clock.run(STOP_MS);
    await stopped;
    this.#life = undefined;
  }

  /** As a `kill -9`; what was on its way still arrives. */
  kill(): void {
    if (this.#life === undefined) return;
    const { clock, store } = this.#life;
    clock.die();
    for (const session of this.#sessions) session.orphan();
    this.#sessions.clear();
    store.abandon();
    this.#life = undefined;
  }

  /** A message of the back-end, for who listens. */
  say(topic: string, payload: Uint8Array): void {
    for (const session of this.#sessions) session.tell(topic, payload);
  }

  /** What the store answers, which takes a commit at most. */
  async answer<Answer>(asked: Promise<Answer>): Promise<Answer> {
    await this.clock.run(COMMITTED_MS);
    return asked;
  }

  /** All sessions end. */
  hangUp(failure: Failure = GONE): void {
    for (const session of this.#sessions) session.lose(failure);
  }

  /** Of `stream`, as they arrived in its order; copies apart. */
  sequences(stream: string): readonly number[] {
    return this.arrived.filter(({ topic }) => topic === `up/${stream}`).flatMap(sequencesOf);
  }

  /** Observations `from … from + count − 1` of `stream`, confirmed. */
  async owe(of: DeliveryClass, stream: string, from: number, count: number): Promise<void> {
    const owed = oweIn(this.store, of, stream, from, count);
    await this.clock.run(COMMITTED_MS);
    await owed;
  }

  get #running(): Life {
    if (this.#life === undefined) throw new Error('start it first');
    return this.#life;
  }

  #dial(port: number): Promise<Session> {
    this.dials.push(this.clock.monotonic());
    if (this.fate === undefined || this.dead.has(port)) {
      return Promise.reject(new OperatingError('connection-refused', 'nobody is there'));
    }
    const judge = (message: Message): Fate => this.#judge(port, message);
    const judgeSubscription = (): Fate => this.subscribed();
    const broker = { wayMs: () => WAY_MS, judge, judgeSubscription };
    const session = new BrokerSession(broker, this.clock, this.limits);
    this.#sessions.add(session);
    void session.lost.then(() => this.#sessions.delete(session));
    return Promise.resolve(this.#watched(session));
  }

  /** The same session; what it must not send is noted. */
  #watched(session: BrokerSession): Session {
    let inFlight = 0;
    const { protocol, receiveMaximum, packetBytesMax, lost, traffic } = session;
    return {
      ...{ protocol, receiveMaximum, packetBytesMax, lost, traffic },
      publish: (message, done) => {
        inFlight += 1;
        const bytes = packetBytesOf(message);
        if (inFlight > receiveMaximum) this.violations.push(`${inFlight} of ${receiveMaximum}`);
        if (bytes > packetBytesMax) this.violations.push(`${message.topic}: ${bytes} bytes`);
        session.publish(message, (refusal) => {
          inFlight -= 1;
          done(refusal);
        });
      },
      subscribe: (subscription, done) => session.subscribe(subscription, done),
      close: () => session.close(),
      abort: (failure) => session.abort(failure),
    };
  }

  #judge(port: number, message: Message): Fate {
    const topic = message.topic.replace(/^nd\/1\/gw-1\//, '');
    this.arrived.push({
      atMs: this.clock.monotonic(),
      port,
      topic,
      payload: Buffer.from(message.payload),
    });
    return this.fate?.(message) ?? TAKEN;
  }
}

/** Of a PUBLISH at QoS 1 without properties (MQTT 5.0, 3.3); the length takes two bytes or more. */
function packetBytesOf({ topic, payload }: Message): number {
  const body = 2 + Buffer.byteLength(topic) + 2 + 1 + Buffer.byteLength(payload);
  return 1 + (body < 128 ? 1 : 2) + body;
}
