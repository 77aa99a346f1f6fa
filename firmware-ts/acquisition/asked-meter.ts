import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Refusals } from '#identity/refusal-ledger.ts';
import { Backoff } from '#link/backoff.ts';
import type { Observation } from '#reading/reading.ts';
import type { Clock } from '#system/clock.ts';
import { wallMs } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Device, DeviceNotice, DeviceState, MeterClock } from './device.ts';
import type { LineTurns } from './line-turns.ts';
import type { OpenMeter } from './meter-access.ts';
import type { MeterNotice, MeterSession } from './meter-session.ts';
import type { Slots } from './slots.ts';
import { nextSlot, whenWall } from './slots.ts';

export interface AskedMeterOptions {
  readonly name: string;
  /** Names the line that the meter shares with others. */
  readonly line: string;
  readonly turns: LineTurns;
  readonly slots: Slots;
  /** A session over a link of its own, which `close` closes. */
  readonly open: OpenMeter;
  /** Reads what is due; what came is durable before more is asked for. */
  readonly read: (
    session: MeterSession,
    keep: (observations: readonly Observation[]) => Promise<void>,
    told: (objects: RefusedObjects) => void,
  ) => Promise<void>;
  /** Looks at the meter's clock behind a reading, where that is due. */
  readonly checkClock?: (session: MeterSession) => Promise<MeterClock | undefined>;
  /** How often the meter refused who asks; without it that is forgotten with each restart. */
  readonly refusals?: Refusals;
  /** Resolves when the observations are durable: all of them, or none. */
  readonly keep: (observations: readonly Observation[]) => Promise<void>;
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'fraction'>;
  readonly notice: (event: DeviceNotice) => void;
}

/** Objects that the meter refused in the last reading, each with its reason. */
export type RefusedObjects = ReadonlyMap<string, Failure>;

/** A line that was down is tried soon again, a meter that stays dead takes few turns of others. */
const RETRY = { firstMs: 15_000, capMs: 3_600_000 };
/** A meter locks out who guesses: after hours it is tried again, after three times a week later. */
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
  /** All was read, and the next slot has not come. */
  #resting = false;
  #failure: Failure | undefined;
  #refusedObjects: RefusedObjects = new Map();
  #meterClock: MeterClock | undefined;
  #observations = 0;
  #readings = 0;
  #discarded = 0;
  #discardedBytes = 0;

  constructor(options: AskedMeterOptions) {
    this.name = options.name;
    this.#options = options;
    this.#retry = new Backoff(options.entropy, RETRY);
    this.#refused = new Backoff(options.entropy, REFUSED_RETRY);
    this.#cancel = options.clock.after(0, () => this.#start());
  }

  get #link(): DeviceState['link'] {
    if (this.#stopped) return 'closed';
    if (this.#session !== undefined) return 'up';
    return this.#resting ? 'resting' : 'waiting';
  }

  get state(): DeviceState {
    return {
      link: this.#link,
      peers: this.#session === undefined ? [] : [this.#options.line],
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      readings: this.#readings,
      observations: this.#observations,
      discarded: this.#discarded,
      discardedBytes: this.#discardedBytes,
      refused: 0,
      refusedObjects: Object.fromEntries(this.#refusedObjects),
      ...(this.#meterClock === undefined ? {} : { meterClock: this.#meterClock }),
    };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel();
    this.#session?.abandon();
    await this.#turn;
  }

  /** A restart is no reason to ask a meter that has refused us too often. */
  #start(): void {
    const { refusals, clock } = this.#options;
    const pauseMs = refusals?.pauseMs(wallMs(clock)) ?? 0;
    if (pauseMs === 0) this.#begin();
    else this.#pause(pauseMs, 'before the restart');
  }

  #begin(): void {
    const { turns, line } = this.#options;
    this.#turn = turns
      .take(line, () => this.#read())
      .then(
        () => this.#succeeded(),
        (error: unknown) => this.#failed(failureOf(error)),
      )
      .catch((error: unknown) => this.#failedToNote(failureOf(error)));
  }

  async #read(): Promise<void> {
    if (this.#stopped) return;
    const session = this.#options.open((event) => this.#heard(event));
    this.#session = session;
    try {
      await this.#options.read(
        session,
        (observations) => this.#keep(observations),
        (objects) => this.#told(objects),
      );
      this.#clockSeen(await this.#options.checkClock?.(session));
    } finally {
      this.#session = undefined;
      await session.close();
    }
  }

  async #keep(observations: readonly Observation[]): Promise<void> {
    await this.#options.keep(observations);
    this.#retry.reset(); // what was cut goes on soon where it gets on
    this.#observations += observations.length;
    for (const { readings } of observations) this.#readings += readings.length;
  }

  #heard(event: MeterNotice): void {
    if (event.kind !== 'discarded') return;
    this.#discarded += 1;
    this.#discardedBytes += event.length;
    this.#options.notice(event);
  }

  /** Each refusal is told when it begins; the status has them for as long as they last. */
  #told(objects: RefusedObjects): void {
    for (const [object, failure] of objects) {
      if (this.#refusedObjects.get(object)?.code === failure.code) continue;
      this.#options.notice({ kind: 'object-refused', object, failure });
    }
    this.#refusedObjects = objects;
  }

  /** What is wrong with it is told once; what was done to it, always. */
  #clockSeen(seen: MeterClock | undefined): void {
    if (seen === undefined) return;
    const { failure, setByS } = seen;
    const known = this.#meterClock?.failure?.code === failure?.code;
    if (failure !== undefined && !known) this.#options.notice({ kind: 'clock-failed', failure });
    if (setByS !== undefined) this.#options.notice({ kind: 'clock-set', byS: setByS });
    this.#meterClock = seen;
  }

  async #succeeded(): Promise<void> {
    await this.#options.refusals?.succeeded();
    this.#failure = undefined;
    this.#resting = true;
    this.#retry.reset();
    this.#refused.reset();
    this.#wait(nextSlot(wallMs(this.#options.clock), this.#options.slots));
  }

  async #failed(failure: Failure): Promise<void> {
    if (this.#stopped) return;
    const { clock, slots, refusals } = this.#options;
    const now = wallMs(clock);
    if (REFUSALS.includes(failure.code)) {
      await refusals?.refused(now);
      const pauseMs = refusals?.pauseMs(now) ?? 0;
      if (pauseMs > 0) this.#pause(pauseMs, failure.message);
      else this.#again(failure, this.#refused.next());
      return;
    }
    const slot = nextSlot(now, slots);
    const retryMs = this.#retry.next();
    if (retryMs < slot - now) this.#again(failure, retryMs);
    else {
      this.#waiting(failure, slot - now);
      this.#wait(slot);
    }
  }

  /** Nothing was noted of a refusal: it may not count, and is not repeated soon. */
  #failedToNote(failure: Failure): void {
    this.#again(failure, this.#refused.next());
  }

  #pause(pauseMs: number, why: string): void {
    const count = this.#options.refusals?.count ?? 0;
    this.#again({ ...PAUSED, message: `${count} times in a row it refused us: ${why}` }, pauseMs);
  }

  #again(failure: Failure, retryMs: number): void {
    if (this.#stopped) return;
    this.#waiting(failure, retryMs);
    this.#cancel = this.#options.clock.after(retryMs, () => this.#begin());
  }

  #waiting(failure: Failure, retryMs: number): void {
    this.#resting = false;
    this.#failure = failure;
    this.#options.notice({ kind: 'waiting', failure, retryMs });
  }

  #wait(at: number): void {
    if (this.#stopped) return;
    this.#cancel = whenWall(this.#options.clock, at, () => this.#begin());
  }
}

const PAUSED = {
  code: 'asking-paused',
  hint: 'correct secret, keys or association and restart normd; else it is tried again in a week',
} as const;
