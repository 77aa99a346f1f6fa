import type { Failure } from '#bytes/failure.ts';
import { errorOf, failureOf } from '#bytes/failure.ts';
import type { Link, Stream, StreamHandler } from '#link/link.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { LineChange } from '#protocol/dlms/apdu-link.ts';
import type { DlmsClientMessage } from '#protocol/dlms/client/client-options.ts';
import type { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { Procedure, ProcedureStep } from '#protocol/dlms/procedure.ts';
import type { ServiceAnswer, ServiceRequest } from '#protocol/dlms/service.ts';
import type { Clock } from '#system/clock.ts';
import { LineHearing } from './line-hearing.ts';
import { StreamLoop } from './stream-loop.ts';

export interface MeterSessionOptions {
  readonly link: Link;
  /** A fresh client for each stream that comes up. */
  readonly connect: () => DlmsClient;
  readonly clock: Clock;
  readonly security?: SessionSecurity;
  /** What the meter says of its own accord, and what was no good on the line. */
  readonly notice?: (event: MeterNotice) => void;
}

/** What a session is secured by, as far as it has to wait for it and to answer for it. */
export interface SessionSecurity {
  /** Makes sure of what the next request takes. */
  provide(): Promise<void>;
  /** Whether anything that came was not proven to be the meter's, although it could have been. */
  readonly unverified: boolean;
}

export type MeterNotice =
  | { readonly kind: 'notified'; readonly apdu: Uint8Array; readonly verified: boolean }
  | { readonly kind: 'discarded'; readonly failure: Failure; readonly length: number };

/** One association with one meter over one link, and the work that is done on it. */
export interface MeterSession {
  /**
   * Runs a procedure; several run one after another. What is told is awaited before the next
   * request, so that whoever stores rows sets the pace. Errors: the procedure's, `connection-lost`
   * and the link's, `association-refused` and all else that opening can bring.
   */
  run<Result, Told = never>(
    work: Procedure<Result, Told>,
    told?: (told: Told) => unknown,
  ): Promise<Result>;
  /** Settles when the association stands. Errors: all that opening can bring. */
  associated(): Promise<void>;
  /** The mark of what is read from now on: see `SessionSecurity`. */
  readonly unverified: boolean;
  /** Takes leave of the meter, and closes the link. */
  close(): Promise<void>;
  /** Ends what is under way with `connection-lost`; `close` has still to be called. */
  abandon(): void;
}

/** How long a meter may take to say goodbye. */
const RELEASE_WAIT_MS = 5000;

export function openMeterSession(options: MeterSessionOptions): MeterSession {
  return new Session(options);
}

type Waiting = PromiseWithResolvers<DlmsClientMessage>;

class Session implements MeterSession {
  readonly #options: MeterSessionOptions;
  #stream: Stream | undefined;
  #hearing = new LineHearing();
  #loop: StreamLoop<DlmsClientMessage> | undefined;
  #client: DlmsClient | undefined;
  /** Settles when the association stands, or cannot. */
  #ready: PromiseWithResolvers<undefined> = quietly();
  #answer: Waiting | undefined;
  #released: PromiseWithResolvers<undefined> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #abandoned = false;

  constructor(options: MeterSessionOptions) {
    this.#options = options;
    options.link.open({
      up: (stream) => this.#up(stream),
      waiting: (failure) => this.#lost(failure),
      ended: () => this.#lost(ENDED),
    });
  }

  run<Result, Told>(
    work: Procedure<Result, Told>,
    told: (told: Told) => unknown = () => undefined,
  ): Promise<Result> {
    const turn = this.#last.then(() => this.#perform(work, told));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  get unverified(): boolean {
    return this.#options.security?.unverified === true;
  }

  async associated(): Promise<void> {
    await this.#ready.promise;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#takeLeave();
    this.#loop?.farewell();
    await this.#options.link.close();
    this.#lost(CLOSED);
  }

  abandon(): void {
    this.#abandoned = true;
    this.#lost(CLOSED);
  }

  async #takeLeave(): Promise<void> {
    const client = this.#client;
    if (client?.association === undefined) return;
    const released = Promise.withResolvers<undefined>();
    this.#released = released;
    const cancel = this.#options.clock.after(RELEASE_WAIT_MS, () => released.resolve(undefined));
    this.#loop?.perform((at) => client.release(at));
    await released.promise;
    cancel();
  }

  async #perform<Result, Told>(
    work: Procedure<Result, Told>,
    told: (told: Told) => unknown,
  ): Promise<Result> {
    if (this.#abandoned) throw errorOf(CLOSED);
    await this.#ready.promise;
    let step = work.next(undefined);
    while (step.done !== true) step = await this.#stepped(work, step.value, told);
    return step.value;
  }

  async #stepped<Result, Told>(
    work: Procedure<Result, Told>,
    step: ProcedureStep<Told>,
    told: (told: Told) => unknown,
  ): Promise<IteratorResult<ProcedureStep<Told>, Result>> {
    switch (step.kind) {
      case 'tell':
        await told(step.told);
        return work.next(undefined);
      case 'pause':
        await this.#pause(step.delayMs);
        return work.next(undefined);
      case 'ask':
        break;
    }
    let answer: ServiceAnswer;
    try {
      answer = await this.#ask(step.request);
    } catch (error) {
      return work.throw(error);
    }
    return work.next(answer);
  }

  async #pause(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#options.clock.after(delayMs, () => resolve(undefined));
    await promise;
  }

  async #ask(request: ServiceRequest): Promise<ServiceAnswer> {
    const client = this.#client;
    await this.#options.security?.provide();
    if (client === undefined || client !== this.#client) throw errorOf(CLOSED);
    const waiting = Promise.withResolvers<DlmsClientMessage>();
    this.#answer = waiting;
    this.#loop?.perform((at) => client.ask(request, at));
    const message = await waiting.promise;
    this.#answer = undefined;
    if (message.kind === 'answered') return message.answer;
    throw message.kind === 'failed' ? errorOf(message.failure) : errorOf(CLOSED);
  }

  #up(stream: Stream): StreamHandler {
    const client = this.#options.connect();
    const loop = new StreamLoop(stream, client, this.#options.clock, (event) => this.#on(event));
    this.#stream = stream;
    this.#client = client;
    this.#loop = loop;
    this.#hearing = new LineHearing();
    loop.start();
    return {
      chunk: (bytes) => {
        this.#hearing.heard(bytes.length);
        loop.receive(bytes);
      },
      down: (failure) => {
        loop.end();
        this.#lost(failure ?? ENDED);
      },
    };
  }

  #on(event: ConnectionEvent<DlmsClientMessage>): void {
    switch (event.kind) {
      case 'message':
        this.#understand(event.message);
        return;
      case 'discarded':
        this.#hearing.discarded(event.failure.code, event.length);
        this.#options.notice?.(event);
        return;
      case 'stalled':
        this.#lost(this.#hearing.diagnosed(event.failure));
        this.#stream?.reset();
    }
  }

  #understand(message: DlmsClientMessage): void {
    switch (message.kind) {
      case 'associated':
        this.#hearing.understood();
        this.#ready.resolve(undefined);
        return;
      case 'released':
        this.#released?.resolve(undefined);
        return;
      case 'notified':
        this.#options.notice?.(message);
        return;
      case 'answered':
        this.#answer?.resolve(message);
        return;
      case 'baud':
        void this.#changeLine(message);
        return;
      case 'failed':
        this.#failed(message);
    }
  }

  #failed(message: Extract<DlmsClientMessage, { readonly kind: 'failed' }>): void {
    this.#hearing.understood();
    if (message.step === 'asking') this.#answer?.resolve(message);
    else if (message.step === 'releasing') this.#released?.resolve(undefined);
    // Refused for as long as this stream lasts: a password is not tried twice by itself.
    else this.#ready.reject(errorOf(message.failure));
  }

  /** A line that knows no rate stays as it is. */
  async #changeLine({ rate, format }: LineChange): Promise<void> {
    const stream = this.#stream;
    try {
      await stream?.setLine?.(rate, format);
    } catch (error) {
      if (stream !== this.#stream) return;
      this.#lost(failureOf(error));
      stream?.reset();
    }
  }

  /** Whoever waits is told; whoever comes later waits for the next stream. */
  #lost(failure: Failure): void {
    this.#client = undefined;
    this.#answer?.reject(errorOf(failure));
    this.#answer = undefined;
    this.#released?.resolve(undefined);
    this.#ready.reject(errorOf(failure));
    this.#ready = quietly();
  }
}

/** A promise that may be rejected while nobody waits for it. */
function quietly(): PromiseWithResolvers<undefined> {
  const promised = Promise.withResolvers<undefined>();
  promised.promise.catch(() => undefined);
  return promised;
}

const ENDED: Failure = {
  code: 'connection-lost',
  message: 'the connection to the meter has ended',
  hint: 'try again; many meters serve one client at a time',
};

const CLOSED: Failure = { code: 'connection-lost', message: 'the session was closed' };
