import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { StoreHere } from '#store/here.ts';
import type { Dialing } from '#uplink/session.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { WallClock } from './boot-clock.ts';
import { ScriptedBroker } from './broker.ts';
import { Cable } from './cable.ts';
import { Chance } from './chance.ts';
import { SimulatedBackend } from './backend.ts';
import type { BackendName, SourceName, Wish } from './configuration.ts';
import { BACKENDS, BROKERS, SOURCES } from './configuration.ts';
import { Deaths } from './deaths.ts';
import type { Devices } from './devices.ts';
import { startDevices } from './devices.ts';
import { Diary } from './diary.ts';
import { startTroubles } from './faults.ts';
import type { Identities } from './identities.ts';
import { issueIdentities } from './identities.ts';
import { Liveness, dueIn } from './liveness.ts';
import { observed } from './observed-store.ts';
import { ReceiptDesk } from './receipt-desk.ts';
import { startOperator } from './operator.ts';
import { ScriptedProcess } from './process.ts';
import type { LifeReport } from './report.ts';
import { reportOf } from './report.ts';
import { ScheduleWatch } from './schedule-watch.ts';

export interface LifeOptions {
  readonly seed: number;
  readonly years: number;
  /** For the store; empty, and on a disk of memory if there is one. */
  readonly folder: string;
}

const YEAR_MS = 365 * 86_400_000;
/** Between two looks whether the contract is broken. */
const STRETCH_MS = 3_600_000;
/** Whoever is asked or told to stop has so long. */
const PATIENCE_MS = 3_600_000;
const LOOK_MS = 1000;
/** Refused streams are tried again within five minutes, and a backlog of weeks takes minutes. */
const QUIET_MS = 6 * 3_600_000;

/** Lives one gateway's life from a seed, and holds the contract against all that happens. */
export async function live({ seed, years, folder }: LifeOptions): Promise<LifeReport> {
  const clock = new VirtualClock();
  const identities = await issueIdentities(join(folder, 'pki'), clock, years);
  const life = new Life(seed, join(folder, 'state'), clock, identities);
  return life.run(years);
}

type Cables = Readonly<Record<SourceName, Cable>>;

class Life {
  readonly #seed: number;
  readonly #clock: VirtualClock;
  readonly #identities: Identities;
  readonly #diary: Diary;
  readonly #chance: Chance;
  readonly #disk = { freeBytes: Infinity };
  readonly #wall: WallClock;
  readonly #backends: ReadonlyMap<BackendName, SimulatedBackend>;
  readonly #brokers = new Map<number, ScriptedBroker>();
  readonly #cables: Cables;
  readonly #process: ScriptedProcess;
  readonly #deaths: Deaths;
  readonly #liveness: Liveness;
  readonly #schedule: ScheduleWatch;

  constructor(seed: number, folder: string, clock: VirtualClock, identities: Identities) {
    this.#seed = seed;
    this.#clock = clock;
    this.#identities = identities;
    this.#diary = new Diary(clock);
    this.#wall = new WallClock(clock);
    this.#chance = new Chance(String(seed));
    const cable = (name: SourceName): Cable => new Cable(this.#chance.fork(name));
    this.#cables = { meter: cable('meter'), gas: cable('gas'), alarms: cable('alarms') };
    this.#backends = new Map(
      BACKENDS.map((name) => [name, new SimulatedBackend(name, this.#diary)]),
    );
    for (const backend of this.#backends.values()) this.#addBrokers(backend);
    this.#process = new ScriptedProcess({
      ...this.#world('process'),
      observe: (store) => this.#observe(store),
    });
    const process = this.#process;
    const parts = { ...this.#world('deaths'), process, folder };
    this.#deaths = new Deaths({ ...parts, identities: identities.files });
    const watched = { ...parts, wish: () => this.#deaths.wish };
    this.#liveness = new Liveness(watched);
    this.#schedule = new ScheduleWatch(watched);
  }

  async run(years: number): Promise<LifeReport> {
    const devices = startDevices(this.#clock, this.#chance.fork('devices'), this.#cables);
    const scarce = (): void => this.#backends.forEach((backend) => backend.forgo());
    const troubles = startTroubles({ ...this.#world('troubles'), scarce });
    const dismiss = startOperator({
      ...this.#world('operator'),
      process: this.#process,
      discarded: (backend, entry) => this.#backendOf(backend)?.forgo(entry),
    });
    this.#deaths.begin();
    this.#liveness.begin();
    await this.#pass(years * YEAR_MS);
    troubles.heal();
    dismiss();
    this.#liveness.end();
    await this.#end(devices);
    const obligations = [...this.#backends.values()].map((backend) => backend.obligations);
    return reportOf({ seed: this.#seed, years, diary: this.#diary, obligations });
  }

  /** What all parts of it live in; each has its own luck. */
  #world(name: string) {
    return {
      clock: this.#clock,
      chance: this.#chance.fork(name),
      diary: this.#diary,
      wall: this.#wall,
      disk: this.#disk,
      cables: new Map(SOURCES.map((source) => [source as string, this.#cables[source]])),
      brokers: this.#brokers,
    };
  }

  /** Everything is well and nothing new comes: what is owed goes, and the books are closed. */
  async #end(devices: Devices): Promise<void> {
    if (this.#diary.breach !== undefined) return;
    this.#diary.note('healed');
    devices.stop();
    await this.#until(this.#deaths.heal(), 'the gateway does not stop and start');
    await this.#pass(QUIET_MS);
    for (const backend of this.#backends.values()) await this.#settle(backend);
    await this.#until(this.#process.stop(), 'the gateway does not stop');
  }

  async #settle(backend: SimulatedBackend): Promise<void> {
    const waiting = await this.#until(this.#waiting(backend), 'the store does not answer');
    if (waiting === undefined) return;
    if (waiting > 0) this.#diary.broken(`${backend.name}: ${waiting} entries are still due`);
    backend.settle();
  }

  /** Lets time pass until `work` is done; nothing where it never is, or the contract is broken. */
  async #until<Result>(work: Promise<Result>, otherwise: string): Promise<Result | undefined> {
    const state = { done: false };
    void work.finally(() => (state.done = true));
    for (let waited = 0; !state.done && waited < PATIENCE_MS; waited += LOOK_MS) {
      if (this.#diary.breach !== undefined) return undefined;
      await this.#pass(LOOK_MS);
    }
    if (state.done) return work;
    this.#diary.broken(otherwise);
    return undefined;
  }

  /** Entries that are due, when the back-end has heard where all its streams stand. */
  async #waiting(backend: SimulatedBackend): Promise<number> {
    const { store } = this.#process;
    if (store === undefined) return 0;
    for (const entry of await store.quarantined(backend.name)) backend.forgo(entry);
    backend.stands(await store.streams(backend.name));
    return dueIn(await store.counts(), backend.name);
  }

  async #pass(durationMs: number): Promise<void> {
    const untilMs = this.#clock.monotonic() + durationMs;
    while (this.#clock.monotonic() < untilMs && this.#diary.breach === undefined) {
      await turn(); // so that signals and other tests have theirs
      const stretchMs = Math.min(STRETCH_MS, untilMs - this.#clock.monotonic());
      await this.#clock.run(stretchMs, settled);
    }
  }

  #addBrokers(backend: SimulatedBackend): void {
    const ports = new Set<number>(BROKERS[backend.name].map(({ port }) => port));
    const desk = new ReceiptDesk({
      backend,
      brokers: () => [...this.#brokers].flatMap(([port, one]) => (ports.has(port) ? [one] : [])),
      clock: this.#clock,
      chance: this.#chance.fork(`receipts-${backend.name}`),
      disk: this.#disk,
      wish: () => this.#running(),
    });
    for (const { port } of BROKERS[backend.name]) {
      const name = `${backend.name}-${port}`;
      const broker = new ScriptedBroker({
        name,
        clock: this.#clock,
        chance: this.#chance.fork(`broker-${name}`),
        diary: this.#diary,
        taken: (topic, payload) => {
          desk.took(topic, payload);
          this.#deaths.happened('taken');
        },
        refused: (topic, payload) => backend.refused(topic, payload),
        sent: (topic) => this.#schedule.sent(backend.name, topic),
        knocked: (dialing) => this.#knocked(backend.name, dialing),
      });
      this.#brokers.set(port, broker);
    }
  }

  /** Each back-end is called by its own name, and sees its own identity alone. */
  #knocked(backend: BackendName, { target, credentials }: Knocking): void {
    const known = this.#identities.isOf(backend, credentials?.certificate ?? '');
    if (known && target.host === `${backend}.example`) return;
    this.#diary.broken(`${backend}: a stranger dials ${target.host}`);
  }

  /** What the process runs with; nothing while it does not. */
  #running(): Wish | undefined {
    return this.#process.runningSinceMs === undefined ? undefined : this.#deaths.wish;
  }

  #observe(store: StoreHere): StoreHere {
    const { backends, receipts } = this.#deaths.wish;
    for (const name of backends) if (!receipts.includes(name)) this.#backendOf(name)?.forgo();
    store.onGap((gap) => {
      const { backend, stream, first, last, reason } = gap;
      this.#diary.note(`gap.${reason}`, `${backend}/${stream} ${first}-${last}`);
      this.#backendOf(backend)?.named(gap);
    });
    const setAside = (): void => this.#setAside(store);
    store.onSetAside(setAside);
    if (store.opening.setAside !== undefined) setAside();
    this.#askWhereItStands(store);
    return observed(store, this.#backends, {
      happened: (event) => {
        this.#diary.note(`store.${event}`);
        this.#deaths.happened(event);
      },
      confirmed: (...owed) => this.#liveness.confirmed(...owed),
    });
  }

  #setAside(store: StoreHere): void {
    const { epoch, setAside } = store.opening;
    this.#diary.note('store.set-aside', `${setAside?.failure.code} ${setAside?.salvagedEntries}`);
    for (const backend of this.#backends.values()) backend.damaged(epoch);
    this.#askWhereItStands(store);
  }

  /** A process that died may have named numbers and not told; so has what was carried over. */
  #askWhereItStands(store: StoreHere): void {
    for (const backend of this.#backends.values()) {
      backend.opened(store.opening.epoch);
      store.streams(backend.name).then(
        (streams) => backend.stands(streams),
        () => this.#diary.note('store.silent', backend.name),
      );
    }
  }

  #backendOf(name: string): SimulatedBackend | undefined {
    return [...this.#backends.values()].find((backend) => backend.name === name);
  }
}

/** All promises have settled whose time has come: none waits for anything but the clock. */
function settled(): Promise<unknown> {
  return new Promise((resolve) => process.nextTick(resolve));
}

type Knocking = Pick<Dialing, 'target' | 'credentials'>;
