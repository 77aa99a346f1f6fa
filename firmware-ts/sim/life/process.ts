import { failureOf } from '#bytes/failure.ts';
import type { Configuration } from '#config/schema.ts';
import type { Gateway } from '#gateway/gateway.ts';
import { startGateway } from '#gateway/gateway.ts';
import type { GatewayPorts } from '#gateway/ports.ts';
import type { TimeMark } from '#reading/reading.ts';
import type { StoreHere } from '#store/here.ts';
import { openStoreHere } from '#store/here.ts';
import type { StoreOptions } from '#store/open.ts';
import type { Retention } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Dial, Dialing, Session } from '#uplink/session.ts';
import type { Boot, WallClock } from './boot-clock.ts';
import { BootClock, bootNow } from './boot-clock.ts';
import type { BrokerSession } from './broker-session.ts';
import type { ScriptedBroker } from './broker.ts';
import type { Cable } from './cable.ts';
import type { Chance } from './chance.ts';
import type { Diary } from './diary.ts';

/** An answer of the store takes so long: a kill may fall between the commit and the answer. */
const ANSWER_DELAY_MS = 4;
/** An init system starts what has failed again. */
const RESTART_MS = 5000;

/** What a house says in weeks would fill no megabyte: a simulated one is smaller. */
const MEGABYTE_SHARE = 128;

function scaled({ ageMs, bytes }: Retention): Retention {
  return { ageMs, bytes: bytes / MEGABYTE_SHARE };
}

/** What the process runs in, and what outlives it. */
export interface Machine {
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly chance: Chance;
  readonly diary: Diary;
  /** By the host of a link. */
  readonly cables: ReadonlyMap<string, Cable>;
  /** By their ports. */
  readonly brokers: ReadonlyMap<number, ScriptedBroker>;
  readonly disk: { freeBytes: number };
  /** Called with each store that was opened. */
  readonly observe: (store: StoreHere) => StoreHere;
}

interface Life {
  readonly clock: BootClock;
  readonly sessions: Set<BrokerSession>;
  store?: StoreHere;
  gateway?: Gateway;
  dead: boolean;
}

/** normd as a process that can be started, stopped and killed; there is one at a time. */
export class ScriptedProcess {
  readonly #machine: Machine;
  #life: Life | undefined;
  #starts = 0;
  #startedMs = 0;
  #boot: Boot;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#boot = bootNow(machine.clock);
  }

  /** By the world's monotonic clock; `undefined` where it does not run. */
  get runningSinceMs(): number | undefined {
    return this.#life?.gateway === undefined ? undefined : this.#startedMs;
  }

  /** What its clock says; nothing where it does not run. */
  get now(): TimeMark | undefined {
    return this.#life?.clock.wall();
  }

  get off(): boolean {
    return this.#life === undefined;
  }

  get store(): StoreHere | undefined {
    return this.#life?.store;
  }

  /** The machine starts anew. */
  reboot(): void {
    const { clock, wall, diary } = this.#machine;
    this.#boot = bootNow(clock);
    diary.note(wall.lost ? 'machine.boots-in-1970' : 'machine.boots');
  }

  /** Starts; where that fails it is tried again, as an init system does. */
  async start(configuration: Configuration): Promise<void> {
    const { clock, wall, diary } = this.#machine;
    this.#starts += 1;
    diary.note('start', String(this.#starts));
    const own = new BootClock(clock, wall, this.#boot);
    const life: Life = { clock: own, sessions: new Set(), dead: false };
    this.#life = life;
    try {
      const gateway = await startGateway(configuration, this.#ports(life));
      this.#startedMs = clock.monotonic();
      if (!life.dead) life.gateway = gateway;
    } catch (error) {
      if (life.dead) return;
      diary.note('start.failed', failureOf(error).code);
      this.kill();
      clock.after(RESTART_MS, () => {
        if (this.off) void this.start(configuration);
      });
    }
  }

  /** As `kill -9`, or as the power goes after the last fsync. */
  kill(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#machine.diary.note('kill');
    this.#bury(life);
    life.store?.abandon();
  }

  async stop(): Promise<void> {
    const life = this.#life;
    if (life?.gateway === undefined) return;
    const { gateway } = life;
    this.#machine.diary.note('stop');
    delete life.gateway;
    await gateway.stop();
    if (!life.dead) this.#bury(life);
    this.#machine.diary.note('stopped');
  }

  #bury(life: Life): void {
    life.dead = true;
    life.clock.die();
    for (const session of life.sessions) session.orphan();
    for (const cable of this.#machine.cables.values()) cable.forget();
    this.#life = undefined;
  }

  #ports(life: Life): GatewayPorts {
    const { diary, chance, cables } = this.#machine;
    return {
      clock: life.clock,
      entropy: chance.fork(`start-${this.#starts}`),
      log: (_level, event, { code } = {}) => {
        if (!life.dead) diary.note(`log.${event}`, String(code ?? ''));
      },
      openStore: (options) => this.#openStore(life, options),
      openLink: (options, ports) => {
        const cable = 'host' in options ? cables.get(options.host) : undefined;
        if (cable === undefined) throw new RangeError('no cable of this world');
        return cable.link(ports);
      },
      dial: (dialing) => this.#dial(life, dialing),
      startControl: () => Promise.resolve({ stop: () => Promise.resolve() }),
    };
  }

  async #openStore(life: Life, options: StoreOptions): Promise<StoreHere> {
    const { observe, disk } = this.#machine;
    const opened = await openStoreHere({
      ...options,
      ...(options.retention && { retention: scaled(options.retention) }),
      outboxes: Object.fromEntries(
        Object.entries(options.outboxes ?? {}).map(([name, one]) => [name, scaled(one)]),
      ),
      answerDelayMs: ANSWER_DELAY_MS,
      freeBytes: () => disk.freeBytes,
    });
    if (life.dead) opened.abandon();
    else life.store = observe(opened);
    return opened;
  }

  #dial(life: Life, dialing: Dialing): ReturnType<Dial> {
    const broker = this.#machine.brokers.get(dialing.target.port);
    if (broker === undefined) throw new RangeError('no broker of this world');
    return new Promise<Session>((resolve, reject) => {
      broker.dial(dialing).then((session) => {
        life.sessions.add(session);
        void session.lost.then(() => life.sessions.delete(session));
        if (life.dead) session.orphan();
        else resolve(session);
      }, reject);
    });
  }
}
