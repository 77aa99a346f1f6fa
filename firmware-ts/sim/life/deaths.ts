import type { Configuration } from '#config/schema.ts';
import type { Clock } from '#system/clock.ts';
import type { WallClock } from './boot-clock.ts';
import type { Chance } from './chance.ts';
import type { BackendName, IdentityFiles, Wish } from './configuration.ts';
import { ALL, configurationOf, someWish } from './configuration.ts';
import { damage } from './damage.ts';
import type { Diary } from './diary.ts';
import type { ScriptedProcess } from './process.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Commit, answer and acknowledgement of what was just begun fall into this time. */
const NEAR_MS = 120;
/** Of so many deaths the file is spoiled before the next start. */
const DAMAGES = 0.1;
/** Of so many starts the machine has started, too. */
const REBOOTS = 0.5;
/** Of so many of these the clock was lost. */
const WITHOUT_BATTERY = 0.3;
/** At the earliest after a start. */
const SYNCHRONISED_MS = 5000;

/** What a kill waits for, so that it falls into the middle of something. */
export type Moment = 'append' | 'confirmed' | 'taken';

export interface DeathsParts {
  readonly process: ScriptedProcess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly diary: Diary;
  readonly wall: WallClock;
  readonly folder: string;
  readonly identities: Readonly<Record<BackendName, IdentityFiles>>;
}

/** Stops, kills and changes of the configuration of one process. */
export class Deaths {
  readonly #parts: DeathsParts;
  #configuration: Configuration;
  #armed: Moment | undefined;
  #over = false;
  /** What the configuration is made of. */
  wish: Wish = ALL;

  constructor(parts: DeathsParts) {
    this.#parts = parts;
    this.#configuration = this.#configured(ALL);
  }

  begin(): void {
    void this.#parts.process.start(this.#configuration);
    this.#plan();
  }

  /** Something happened to which a kill may be tied. */
  happened(moment: string): void {
    if (this.#armed !== moment) return;
    this.#armed = undefined;
    const { clock, chance } = this.#parts;
    clock.after(chance.below(NEAR_MS), () => this.#die());
  }

  /** No more of it; the process gets all that there is to have. */
  async heal(): Promise<void> {
    const { process, wall } = this.#parts;
    this.#over = true;
    this.#armed = undefined;
    wall.set(0);
    await process.stop();
    this.#configuration = this.#configured(ALL);
    if (process.off) await process.start(this.#configuration);
  }

  #configured(wish: Wish): Configuration {
    const { folder, identities } = this.#parts;
    this.wish = wish;
    return configurationOf(folder, identities, wish);
  }

  #plan(): void {
    const { clock, chance, process, diary } = this.#parts;
    clock.after(chance.wait(4 * DAY_MS), () => {
      if (this.#over) return;
      this.#plan();
      if (process.off) return;
      const how = chance.pick(['kill', 'arm', 'arm', 'restart', 'reconfigure']);
      diary.note(`fate.${how}`);
      if (how === 'kill') this.#die();
      else if (how === 'arm') this.#armed = chance.pick(['append', 'confirmed', 'taken']);
      else void this.#restart(how === 'reconfigure');
    });
  }

  #die(): void {
    const { process, chance, diary, folder } = this.#parts;
    if (this.#over || process.off) return;
    process.kill();
    const damaged = chance.happens(DAMAGES) ? damage(folder, chance) : undefined;
    if (damaged !== undefined) diary.note(`disk.damaged-${damaged.where}`, damaged.what);
    this.#bootLater();
  }

  async #restart(anew: boolean): Promise<void> {
    const { process, chance } = this.#parts;
    // A stop takes its time, in which a kill may come.
    await process.stop();
    if (!process.off) return;
    if (anew) this.#configuration = this.#configured(someWish(chance));
    this.#bootLater();
  }

  #bootLater(): void {
    const { process, clock, chance } = this.#parts;
    const machineToo = chance.happens(REBOOTS);
    clock.after(chance.widely(500, 2 * DAY_MS), () => {
      if (!process.off || this.#over) return;
      if (machineToo) this.#reboot();
      void process.start(this.#configuration);
    });
  }

  /** Without a battery its clock begins in 1970, until the network sets it. */
  #reboot(): void {
    const { process, clock, chance, wall } = this.#parts;
    if (chance.happens(WITHOUT_BATTERY) && !wall.doubted) {
      wall.lose();
      const { changedMs } = wall;
      clock.after(chance.widely(SYNCHRONISED_MS, DAY_MS), () => {
        if (wall.changedMs === changedMs) wall.set(0);
      });
    }
    process.reboot();
  }
}
