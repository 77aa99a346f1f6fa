import type { Configuration } from '#config/schema.ts';
import type { Clock } from '#system/clock.ts';
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

/** What a kill waits for, so that it falls into the middle of something. */
export type Moment = 'append' | 'confirmed' | 'taken';

export interface DeathsParts {
  readonly process: ScriptedProcess;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly diary: Diary;
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
    void this.#parts.process.boot(this.#configuration);
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
    const { process } = this.#parts;
    this.#over = true;
    this.#armed = undefined;
    this.#configuration = this.#configured(ALL);
    await process.stop();
    if (process.off) await process.boot(this.#configuration);
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
    if (damaged !== undefined) diary.note('disk.damaged', damaged);
    this.#bootLater();
  }

  async #restart(anew: boolean): Promise<void> {
    const { process, chance } = this.#parts;
    if (anew) this.#configuration = this.#configured(someWish(chance));
    // A stop takes its time, in which a kill may come.
    await process.stop();
    if (process.off) this.#bootLater();
  }

  #bootLater(): void {
    const { process, clock, chance } = this.#parts;
    clock.after(chance.widely(500, 2 * DAY_MS), () => {
      if (process.off && !this.#over) void process.boot(this.#configuration);
    });
  }
}
