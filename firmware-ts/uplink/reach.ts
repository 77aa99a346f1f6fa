import { failureOf, type Failure } from '#bytes/failure.ts';
import { BrokerChoice, type Choice } from './broker-choice.ts';
import { brokersOf, type Broker } from './brokers.ts';
import { LEFT } from './greeting.ts';
import type { Message, Session } from './session.ts';
import { Stop } from './stop.ts';
import type { UplinkOptions, UplinkPorts } from './uplink.ts';

/** From the first packet to the broker's welcome; half-open ways and portals never give one. */
const WELCOME_WAIT_MS = 30_000;

const UNWELCOME: Failure = {
  code: 'broker-silent',
  message: `no welcome within ${WELCOME_WAIT_MS / 1000} s`,
  hint: 'What accepts the connection says nothing: a captive portal, or a broker that hangs.',
};

/** Why a dial failed: one that was given up while it waited for the broker says so itself. */
function whyOf(error: unknown): Failure {
  const failure = failureOf(error);
  return failure.code === LEFT.code ? UNWELCOME : failure;
}

/** A session with the broker of this place in the list. */
export interface Reached {
  readonly place: number;
  readonly session: Session;
}

/** The brokers of one back-end: dials them, and remembers how each of them fared. */
export class Reach {
  readonly #ports: UplinkPorts;
  readonly #backend: string;
  readonly #will: Message;
  readonly #brokers: readonly Broker[];
  readonly #choice: BrokerChoice;
  #lastFailure: Failure | undefined;

  /** Errors: those of `brokersOf`. */
  constructor(options: UplinkOptions, ports: UplinkPorts, will: Message) {
    this.#ports = ports;
    this.#backend = options.backend;
    this.#will = will;
    this.#brokers = brokersOf(options, ports);
    this.#choice = new BrokerChoice(this.#brokers, ports.entropy);
  }

  /** Of the last broker that could not be reached or was lost. */
  get lastFailure(): Failure | undefined {
    return this.#lastFailure;
  }

  /** What to do while there is no session; no broker rests for longer than `patienceMs`. */
  next(patienceMs: number): Choice {
    return this.#choice.next(this.#ports.clock.monotonic(), patienceMs);
  }

  urlAt(place: number): string {
    return this.#at(place).url;
  }

  /** Dials; a failure is noted, and there is no session. */
  async connect(place: number, until: Stop): Promise<Reached | undefined> {
    const { clock } = this.#ports;
    const late = new Stop();
    const cancel = clock.after(WELCOME_WAIT_MS, () => late.request());
    const signal = AbortSignal.any([until.signal, late.signal]);
    try {
      const session = await this.#at(place).connect({ signal, will: this.#will });
      return { place, session };
    } catch (error) {
      if (!until.requested) this.failed(place, whyOf(error));
      return undefined;
    } finally {
      cancel();
    }
  }

  /** Dials the brokers that are better than that at `place`, each in its time. */
  async better(place: number, over: Stop): Promise<Reached | undefined> {
    const { clock } = this.#ports;
    for (;;) {
      const better = this.#choice.better(place);
      if (better === undefined) return undefined;
      await over.sleep(clock, better.atMs - clock.monotonic());
      if (over.requested) return undefined;
      const reached = await this.connect(better.broker, over);
      if (reached !== undefined) return reached;
    }
  }

  welcomed(place: number): void {
    this.#choice.welcomed(place, this.#ports.clock.monotonic());
  }

  /** Something came of the session with the broker at `place`. */
  succeeded(place: number): void {
    this.#choice.succeeded(place);
  }

  /** The session with the broker at `place` is over, as it was to be. */
  left(place: number): void {
    this.#choice.left(place, this.#ports.clock.monotonic());
  }

  /** It could not be reached, or its session was lost. */
  failed(place: number, failure: Failure): void {
    this.#lastFailure = failure;
    this.#choice.failed(place, this.#ports.clock.monotonic());
    const { code, message } = failure;
    const fields = { backend: this.#backend, broker: this.urlAt(place), code, message };
    this.#ports.log('warning', 'uplink.broker-failed', fields);
  }

  #at(place: number): Broker {
    const broker = this.#brokers[place];
    if (broker === undefined) throw new RangeError(`no broker ${place}`);
    return broker;
  }
}
