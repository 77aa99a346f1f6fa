import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import { Backoff } from '#link/backoff.ts';
import type { Observation } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import { wallMs } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Device, DeviceNotice, DeviceState } from './device.ts';
import type { LineTurns } from './line-turns.ts';
import type { MeterSession } from './meter-session.ts';
import type { Slots } from './slots.ts';
import { nextSlot, whenWall } from './slots.ts';

export interface AskedMeterOptions {
  readonly name: string;
  /** Names the line that the meter shares with others. */
  readonly line: string;
  readonly turns: LineTurns;
  readonly slots: Slots;
  /** A session over a link of its own, which `close` closes. */
  readonly open: () => MeterSession;
  /** Reads what is due; each observation is durable before the next is asked for. */
  readonly read: (
    session: MeterSession,
    keep: (observation: Observation) => Promise<void>,
  ) => Promise<void>;
  /** Resolves when the observation is durable. */
  readonly keep: (observation: Observation) => Promise<void>;
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'fraction'>;
  readonly notice: (event: DeviceNotice) => void;
}

/** A line that was down is tried soon again, a meter that stays dead takes few turns of others. */
const RETRY = { firstMs: 15_000, capMs: 3_600_000 };
/** A meter locks out who guesses: with a refused password come at most a few tries a day. */
const REFUSED_RETRY = { firstMs: 3_600_000, capMs: 43_200_000 };
const REFUSALS: readonly string[] = ['association-refused', 'authentication-failed'];

/**
 * A meter that is asked: at once, then at each slot. A reading that failed is tried again with
 * growing pauses; a meter that refused who asks is left in peace, also at its slots.
 */
export function openAskedMeter(options: AskedMeterOptions): Device {
  return new AskedMeter(options);
}

class AskedMeter implements Device {
  readonly name: string;
  readonly #options: AskedMeterOptions;
  readonly #retry: Backoff;
  readonly #refused: Backoff;
  #session: MeterSession | undefined;
  #cancel: () => void;
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  #failure: Failure | undefined;
  #observations = 0;
  #readings = 0;

  constructor(options: AskedMeterOptions) {
    this.name = options.name;
    this.#options = options;
    this.#retry = new Backoff(options.entropy, RETRY);
    this.#refused = new Backoff(options.entropy, REFUSED_RETRY);
    this.#cancel = options.clock.after(0, () => this.#begin());
  }

  get state(): DeviceState {
    const up = this.#session !== undefined;
    return {
      link: this.#stopped ? 'closed' : up ? 'up' : 'waiting',
      peers: up ? [this.#options.line] : [],
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      readings: this.#readings,
      observations: this.#observations,
      discarded: 0,
      discardedBytes: 0,
      refused: 0,
    };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel();
    this.#session?.abandon();
    await this.#turn;
  }

  #begin(): void {
    const { turns, line } = this.#options;
    this.#turn = turns
      .take(line, () => this.#read())
      .then(
        () => this.#succeeded(),
        (error: unknown) => this.#failed(failureOf(error)),
      );
  }

  async #read(): Promise<void> {
    if (this.#stopped) return;
    const session = this.#options.open();
    this.#session = session;
    try {
      await this.#options.read(session, (observation) => this.#keep(observation));
    } finally {
      this.#session = undefined;
      await session.close();
    }
  }

  async #keep(observation: Observation): Promise<void> {
    await this.#options.keep(observation);
    this.#retry.reset(); // what was cut goes on soon where it gets on
    this.#observations += 1;
    this.#readings += observation.readings.length;
  }

  #succeeded(): void {
    this.#failure = undefined;
    this.#retry.reset();
    this.#refused.reset();
    this.#wait(nextSlot(wallMs(this.#options.clock), this.#options.slots));
  }

  #failed(failure: Failure): void {
    if (this.#stopped) return;
    const { clock, slots, notice } = this.#options;
    this.#failure = failure;
    const now = wallMs(clock);
    const slot = nextSlot(now, slots);
    const refused = REFUSALS.includes(failure.code);
    const retryMs = (refused ? this.#refused : this.#retry).next();
    if (refused || retryMs < slot - now) {
      notice({ kind: 'waiting', failure, retryMs });
      this.#cancel = clock.after(retryMs, () => this.#begin());
    } else {
      notice({ kind: 'waiting', failure, retryMs: slot - now });
      this.#wait(slot);
    }
  }

  #wait(at: number): void {
    if (this.#stopped) return;
    this.#cancel = whenWall(this.#options.clock, at, () => this.#begin());
  }
}
