import type { StoreHere } from '#store/here.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { WallClock } from './boot-clock.ts';
import { ScriptedBroker } from './broker.ts';
import { Cable } from './cable.ts';
import { Chance } from './chance.ts';
import type { BackendName } from './configuration.ts';
import { PORTS } from './configuration.ts';
import { Deaths } from './deaths.ts';
import type { Devices } from './devices.ts';
import { startDevices } from './devices.ts';
import type { Breach } from './diary.ts';
import { Diary } from './diary.ts';
import { startTroubles } from './faults.ts';
import { Obligations } from './obligations.ts';
import { observed } from './observed-store.ts';
import { ScriptedProcess } from './process.ts';

export interface LifeOptions {
  readonly seed: number;
  readonly years: number;
  /** For the store; empty, and on a disk of memory if there is one. */
  readonly folder: string;
}

export interface LifeReport {
  readonly seed: number;
  readonly years: number;
  /** The same for the same seed. */
  readonly hash: string;
  readonly events: number;
  /** Observations owed to back-ends, and what became of them. */
  readonly owed: number;
  readonly confirmed: number;
  readonly delivered: number;
  /** Observations that came again. */
  readonly repeats: number;
  /** Confirmed, dropped and named. */
  readonly named: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly breach?: Breach;
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
  const life = new Life(seed, folder);
  return life.run(years);
}

class Life {
  readonly #seed: number;
  readonly #clock = new VirtualClock();
  readonly #diary = new Diary(this.#clock);
  readonly #chance: Chance;
  readonly #disk = { full: false };
  readonly #wall = new WallClock(this.#clock);
  readonly #obligations = new Map<BackendName, Obligations>();
  readonly #brokers = new Map<number, ScriptedBroker>();
  readonly #cables: Readonly<Record<'meter' | 'gas' | 'alarms', Cable>>;
  readonly #process: ScriptedProcess;
  readonly #deaths: Deaths;

  constructor(seed: number, folder: string) {
    this.#seed = seed;
    this.#chance = new Chance(String(seed));
    const cable = (name: string): Cable => new Cable(this.#chance.fork(name));
    this.#cables = { meter: cable('meter'), gas: cable('gas'), alarms: cable('alarms') };
    for (const name of ['utility', 'grid'] as const) this.#addBackend(name);
    this.#process = new ScriptedProcess({
      clock: this.#clock,
      wall: this.#wall,
      chance: this.#chance.fork('process'),
      diary: this.#diary,
      cables: new Map(Object.entries(this.#cables)),
      brokers: this.#brokers,
      disk: this.#disk,
      observe: (store) => this.#observe(store),
    });
    this.#deaths = new Deaths({
      process: this.#process,
      clock: this.#clock,
      chance: this.#chance.fork('deaths'),
      diary: this.#diary,
      folder,
    });
  }

  async run(years: number): Promise<LifeReport> {
    const devices = startDevices(this.#clock, this.#chance.fork('devices'), this.#cables);
    const troubles = startTroubles({
      clock: this.#clock,
      chance: this.#chance.fork('troubles'),
      diary: this.#diary,
      wall: this.#wall,
      disk: this.#disk,
      cables: new Map(Object.entries(this.#cables)),
      brokers: this.#brokers,
    });
    this.#deaths.begin();
    await this.#pass(years * YEAR_MS);
    troubles.heal();
    await this.#end(devices);
    return this.#report(years);
  }

  /** Everything is well and nothing new comes: what is owed goes, and the books are closed. */
  async #end(devices: Devices): Promise<void> {
    if (this.#diary.breach !== undefined) return;
    this.#diary.note('healed');
    devices.stop();
    await this.#until(this.#deaths.heal(), 'the gateway does not stop and start');
    await this.#pass(QUIET_MS);
    for (const [name, obligations] of this.#obligations) await this.#settle(name, obligations);
    await this.#until(this.#process.stop(), 'the gateway does not stop');
  }

  async #settle(name: BackendName, obligations: Obligations): Promise<void> {
    const answer = await this.#until(this.#ask(name), 'the store does not answer');
    if (answer === undefined) return;
    const { queued, aside, named } = answer;
    if (queued > aside) this.#diary.broken(`${name}: ${queued - aside} entries are still due`);
    obligations.settle(named);
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

  async #ask(name: BackendName) {
    const { store } = this.#process;
    if (store === undefined) return { queued: 0, aside: 0, named: [] };
    const { backends } = await store.counts();
    const quarantined = await store.quarantined(name);
    const { streams } = await store.standing(name);
    const queued = backends[name]?.queuedEntries ?? 0;
    return { queued, aside: quarantined.length, named: streams };
  }

  async #pass(durationMs: number): Promise<void> {
    const untilMs = this.#clock.monotonic() + durationMs;
    while (this.#clock.monotonic() < untilMs && this.#diary.breach === undefined) {
      await this.#clock.run(Math.min(STRETCH_MS, untilMs - this.#clock.monotonic()));
    }
  }

  #addBackend(name: BackendName): void {
    const obligations = new Obligations(name, this.#diary);
    this.#obligations.set(name, obligations);
    const broker = new ScriptedBroker({
      name,
      clock: this.#clock,
      chance: this.#chance.fork(`broker-${name}`),
      diary: this.#diary,
      taken: (topic, payload) => {
        const [, lane = '', stream = ''] = LANE.exec(topic) ?? [];
        this.#diary.note(`taken.${lane}`, `${name} ${topic} ${payload.length}`);
        if (lane === 'up') obligations.came(stream, payload);
        this.#deaths.happened('taken');
      },
    });
    this.#brokers.set(PORTS[name], broker);
  }

  #observe(store: StoreHere): StoreHere {
    store.onGap(({ backend, stream, first, last, reason }) =>
      this.#diary.note(`gap.${reason}`, `${backend}/${stream} ${first}-${last}`),
    );
    return observed(store, this.#obligations, {
      happened: (event) => {
        this.#diary.note(`store.${event}`);
        this.#deaths.happened(event);
      },
    });
  }

  #report(years: number): LifeReport {
    const all = [...this.#obligations.values()].flatMap(({ streams }) =>
      [...streams.values()].flatMap(({ obligations }) => obligations),
    );
    const confirmed = all.filter(({ outcome }) => outcome === 'confirmed');
    const { breach, events, counts } = this.#diary;
    return {
      seed: this.#seed,
      years,
      hash: this.#diary.digest(),
      events,
      owed: all.length,
      confirmed: confirmed.length,
      delivered: all.filter(({ delivered }) => delivered !== undefined).length,
      repeats: [...this.#obligations.values()].reduce((sum, { repeats }) => sum + repeats, 0),
      named: confirmed.filter(({ delivered }) => delivered === undefined).length,
      counts: Object.fromEntries([...counts].sort(([one], [other]) => (one < other ? -1 : 1))),
      ...(breach === undefined ? {} : { breach }),
    };
  }
}

const LANE = /\/(up|lv|mf|st|ev)(?:\/([\w-]+))?$/;
