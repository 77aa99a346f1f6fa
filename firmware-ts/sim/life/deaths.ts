import type { Configuration } from '#config/schema.ts';
import type { Clock } from '#system/clock.ts';
import type { Chance } from './chance.ts';
import { configurationOf } from './configuration.ts';
import type { Diary } from './diary.ts';
import type { ScriptedProcess } from './process.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Commit, answer and acknowledgement of what was just begun fall into this time. */
const NEAR_MS = 120;

/** What a kill waits for, so that it falls into the middle of something. */
export type Moment = 'append' | 'confirmed' | 'taken';

/** Stops, kills and changes of the configuration of one process. */
export class Deaths {
  readonly #process: ScriptedProcess;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #diary: Diary;
  readonly #folder: string;
  #configuration: Configuration;
  #armed: Moment | undefined;
  #over = false;

  constructor(parts: {
    readonly process: ScriptedProcess;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly diary: Diary;
    readonly folder: string;
  }) {
    this.#process = parts.process;
    this.#clock = parts.clock;
    this.#chance = parts.chance;
    this.#diary = parts.diary;
    this.#folder = parts.folder;
    this.#configuration = configurationOf(parts.folder, { grid: true, gas: true });
  }

  begin(): void {
    void this.#process.boot(this.#configuration);
    this.#plan();
  }

  /** Something happened to which a kill may be tied. */
  happened(moment: string): void {
    if (this.#armed !== moment) return;
    this.#armed = undefined;
    this.#clock.after(this.#chance.below(NEAR_MS), () => this.#die());
  }

  /** No more of it; the process gets all that there is to have. */
  async heal(): Promise<void> {
    this.#over = true;
    this.#armed = undefined;
    this.#configuration = configurationOf(this.#folder, { grid: true, gas: true });
    await this.#process.stop();
    if (this.#process.off) await this.#process.boot(this.#configuration);
  }

  #plan(): void {
    this.#clock.after(this.#chance.wait(4 * DAY_MS), () => {
      if (this.#over) return;
      this.#plan();
      if (this.#process.off) return;
      const how = this.#chance.pick(['kill', 'arm', 'arm', 'restart', 'reconfigure']);
      this.#diary.note(`fate.${how}`);
      if (how === 'kill') this.#die();
      else if (how === 'arm') this.#armed = this.#chance.pick(['append', 'confirmed', 'taken']);
      else void this.#restart(how === 'reconfigure');
    });
  }

  #die(): void {
    if (this.#over || this.#process.off) return;
    this.#process.kill();
    this.#bootLater();
  }

  async #restart(anew: boolean): Promise<void> {
    if (anew) {
      const cap = this.#chance.happens(0.5) ? {} : { bytesPerSecond: this.#chance.below(990) + 10 };
      const wish = { grid: this.#chance.happens(0.6), gas: this.#chance.happens(0.7), ...cap };
      this.#configuration = configurationOf(this.#folder, wish);
    }
    // A stop takes its time, in which a kill may come.
    await this.#process.stop();
    if (this.#process.off) this.#bootLater();
  }

  #bootLater(): void {
    this.#clock.after(this.#chance.widely(500, 2 * DAY_MS), () => {
      if (this.#process.off && !this.#over) void this.#process.boot(this.#configuration);
    });
  }
}
