import { failureOf, OperatingError, type Failure } from '#bytes/failure.ts';
import { loadCredentials } from '#identity/credentials.ts';
import { Backoff } from '#link/backoff.ts';
import { Acknowledger } from './acknowledger.ts';
import { Delivery } from './delivery.ts';
import { mqttDialer } from './mqtt-session.ts';
import { presencesOf, type Presences } from './presence.ts';
import type { Dial, Message, Session, Target, TlsCredentials } from './session.ts';
import { Tallying } from './tally.ts';
import { targetOf } from './target.ts';
import { topicsOf, type Topics } from './topics.ts';
import type { Uplink, UplinkOptions, UplinkPorts, UplinkState, UplinkStatus } from './uplink.ts';

/** What is in flight has this long to be acknowledged when the uplink stops. */
const DRAIN_WAIT_MS = 5000;
/** A pack is held in memory by every hop, and its loss repeats it whole. */
const PACK_BYTES_MAX = 32 * 1024;
/** Below this a broker's limit is about single entries, which are never divided. */
const PACK_BYTES_LEAST = 1024;
/** The broker owes an answer to the birth; one that is silent for so long is gone. */
const GREETING_WAIT_MS = 30_000;
/**
 * A session that owes nothing for so long was a success. One that does is when the store has taken
 * an acknowledgement: a broker that takes and a disk that does not is no reason to come at once.
 */
const HELD_MS = 60_000;
/** The goodbye and the broker's closing of the connection, each. */
const GOODBYE_WAIT_MS = 2000;

/**
 * Opens the uplink of one back-end, which connects, sends and mends itself until it is stopped.
 * Errors, thrown at once: `bad-url`, `plaintext-refused`, `bad-name`, `credentials-missing`.
 */
export function openUplink(options: UplinkOptions, ports: UplinkPorts): Uplink {
  return new Running(options, ports);
}

class Running implements Uplink {
  readonly #options: UplinkOptions;
  readonly #ports: UplinkPorts;
  readonly #target: Target;
  readonly #topics: Topics;
  readonly #presences: Presences;
  readonly #dial: Dial;
  readonly #backoff: Backoff;
  readonly #acknowledger: Acknowledger;
  readonly #tally = new Tallying();
  readonly #listeners = new Set<(status: UplinkStatus) => void>();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #state: UplinkState = { kind: 'connecting' };
  #lastFailure: Failure | undefined;
  #delivery: Delivery | undefined;
  #packBytesMax = PACK_BYTES_MAX;

  constructor(options: UplinkOptions, ports: UplinkPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#target = targetOf(options.url);
    if (this.#target.secure && options.credentials === undefined) {
      const hint = 'mqtts:// needs key, certificate and trust anchors.';
      throw new OperatingError('credentials-missing', 'no credentials for the broker', { hint });
    }
    this.#topics = topicsOf(options.gateway);
    this.#presences = presencesOf(this.#topics.state, options.software);
    this.#dial = ports.dial ?? mqttDialer();
    this.#backoff = new Backoff(ports.entropy);
    const { backend } = options;
    const durable = (): void => this.#durable();
    this.#acknowledger = new Acknowledger({ ...ports, backend, durable });
    this.#running = this.#run();
  }

  status(): UplinkStatus {
    const refused = Array.from(this.#delivery?.refusals ?? []);
    return {
      ...this.#tally.value,
      state: this.#state,
      ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
      refusedStreams: Object.fromEntries(refused.map(([name, { failure }]) => [name, failure])),
    };
  }

  onState(changed: (status: UplinkStatus) => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      this.#become({ kind: 'connecting' });
      const failure = await this.#live();
      if (!this.#stopped()) await this.#wait(failure);
    }
    await this.#acknowledger.end();
    this.#become({ kind: 'stopped' });
  }

  async #wait(failure: Failure): Promise<void> {
    const retryMs = this.#backoff.next();
    this.#lastFailure = failure;
    this.#become({ kind: 'waiting', failure, retryMs });
    const over = Promise.withResolvers<undefined>();
    const cancel = this.#ports.clock.after(retryMs, () => over.resolve(undefined));
    await this.#orStop(over.promise);
    cancel();
  }

  /** One connection, from dialling to its end; answers why it ended. */
  async #live(): Promise<Failure> {
    let session: Session;
    try {
      session = await this.#connect();
    } catch (error) {
      return failureOf(error);
    }
    await this.#greet(session);
    const { backend, gateway } = this.#options;
    const [topics, tally, acknowledger] = [this.#topics, this.#tally, this.#acknowledger];
    const parts = { ...this.#ports, session, backend, gateway, topics, tally, acknowledger };
    this.#delivery = new Delivery({ ...parts, packBytesMax: this.#packBytesMax });
    this.#become({ kind: 'online', protocol: session.protocol });
    const cancelHeld = this.#ports.clock.after(HELD_MS, () => this.#held());
    await this.#orStop(session.lost);
    cancelHeld();
    if (this.#stopped()) await this.#leave(session, this.#delivery);
    const failure = await session.lost;
    this.#delivery.end();
    this.#delivery = undefined;
    if (failure.code === 'packet-too-large') {
      this.#packBytesMax = Math.max(PACK_BYTES_LEAST, this.#packBytesMax / 2);
    }
    return failure;
  }

  #held(): void {
    if (this.#delivery?.quiet === true) this.#backoff.reset();
  }

  #durable(): void {
    this.#backoff.reset();
    this.#delivery?.resume();
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** The birth is answered before anything else goes, since it takes a place in flight, too. */
  async #greet(session: Session): Promise<void> {
    const { host } = this.#target;
    const cancel = this.#ports.clock.after(GREETING_WAIT_MS, () =>
      session.abort({ code: 'broker-silent', message: `${host} did not answer the birth` }),
    );
    const answered = this.#published(session, this.#presences.birth);
    await this.#orStop(Promise.race([answered, session.lost]));
    cancel();
  }

  async #connect(): Promise<Session> {
    const { signal } = this.#stopping;
    const credentials = this.#target.secure ? this.#credentials() : undefined;
    return this.#dial({
      target: this.#target,
      clientId: this.#options.gateway,
      will: this.#presences.will,
      signal,
      ...(credentials === undefined ? {} : { credentials }),
    });
  }

  /** Certificates prove nothing against a clock that was never set: time comes first. */
  #credentials(): TlsCredentials | undefined {
    const { second, nanosecond, trust } = this.#ports.clock.wall();
    if (trust === 'untrusted') {
      throw new OperatingError('clock-not-trusted', 'the clock has not been set', {
        hint: 'Set the clock or wait for its synchronisation; until then nothing is sent.',
      });
    }
    const files = this.#options.credentials;
    return files && loadCredentials(files, second * 1000 + nanosecond / 1e6);
  }

  async #leave(session: Session, delivery: Delivery): Promise<void> {
    await this.#within(DRAIN_WAIT_MS, [delivery.drain(), session.lost]);
    const goodbye = this.#published(session, this.#presences.goodbye);
    await this.#within(GOODBYE_WAIT_MS, [goodbye, session.lost]);
    await this.#within(GOODBYE_WAIT_MS, [session.close(), session.lost]);
    session.abort({ code: 'stopped', message: 'stopped' });
  }

  #published(session: Session, message: Message): Promise<void> {
    return new Promise((resolve) => {
      session.publish(message, (refusal) => {
        if (refusal !== undefined) this.#tally.refused(refusal);
        resolve();
      });
    });
  }

  /** Waits for the first of `events`, at most `limitMs`. */
  async #within(limitMs: number, events: readonly Promise<unknown>[]): Promise<void> {
    const timeout = Promise.withResolvers<undefined>();
    const cancel = this.#ports.clock.after(limitMs, () => timeout.resolve(undefined));
    await Promise.race([...events, timeout.promise]);
    cancel();
  }

  /** Waits for `event` or for `stop`; leaves nothing behind on the signal, which lives long. */
  async #orStop(event: Promise<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    const stop = Promise.withResolvers<undefined>();
    const wake = (): void => stop.resolve(undefined);
    signal.addEventListener('abort', wake, { once: true });
    if (signal.aborted) wake();
    await Promise.race([event, stop.promise]);
    signal.removeEventListener('abort', wake);
  }

  #become(state: UplinkState): void {
    this.#state = state;
    const { backend } = this.#options;
    if (state.kind === 'waiting') {
      const { code, message } = state.failure;
      const retryMs = Math.round(state.retryMs);
      this.#ports.log('warning', 'uplink.waiting', { backend, code, message, retryMs });
    } else this.#ports.log('info', `uplink.${state.kind}`, { backend });
    for (const listener of this.#listeners) listener(this.status());
  }
}
