import type { Failure } from '#bytes/failure.ts';
import {
  EVENT_SEVERITIES,
  encodeEvent,
  type EventFields,
  type EventName,
  type Severity,
} from '#contract/event.ts';
import type { Clock } from '#system/clock.ts';
import { verdictOnRefusal } from './quarantine-rule.ts';
import type { Message } from './session.ts';

/** Events in memory; a gateway with more news than this has the same news many times. */
const EVENTS_MAX = 64;
/** A refused event is tried again so late: rights and quotas are mended by people. */
const RETRY_MS = 60_000;
/** What is given up first when there are too many. */
const LEAST_FIRST: readonly Severity[] = ['info', 'warning', 'alarm'];

export interface EventsParts {
  readonly topic: string;
  readonly clock: Clock;
}

/** Sends one event; `done` gets the broker's answer, and is not called when the session is lost. */
export type SendEvent = (message: Message, done: (refusal?: Failure) => void) => void;

export interface EventsTally {
  readonly waiting: number;
  readonly sent: number;
  /** There were too many, or the broker refuses what they are. */
  readonly dropped: number;
}

interface Waiting {
  readonly severity: Severity;
  /** By the monotonic clock: the date comes when it is sent, and is believed then. */
  readonly toldMs: number;
  readonly encode: (at: string | undefined) => string;
  /** Once it has been sent: an event that comes twice is the same. */
  payload?: string;
  flying: boolean;
}

/**
 * What one back-end is told on its topic of events: in order, each until the broker has it, over
 * the sessions of an uplink. They are in memory only: a restart loses what was not sent by then.
 */
export class Events {
  readonly #parts: EventsParts;
  #waiting: Waiting[] = [];
  #send: SendEvent | undefined;
  #cancelRetry: (() => void) | undefined;
  readonly #urgentListeners = new Set<() => void>();
  #sent = 0;
  #dropped = 0;

  constructor(parts: EventsParts) {
    this.#parts = parts;
  }

  get tally(): EventsTally {
    return { waiting: this.#waiting.length, sent: this.#sent, dropped: this.#dropped };
  }

  /** Whether somebody is to be woken by one that waits. */
  get urgent(): boolean {
    return this.#waiting.some(({ severity }) => severity === 'alarm');
  }

  /** Calls `wake` for each event that is to wake somebody; the result unsubscribes. */
  onUrgent(wake: () => void): () => void {
    this.#urgentListeners.add(wake);
    return () => void this.#urgentListeners.delete(wake);
  }

  tell<Name extends EventName>(event: Name, fields: EventFields[Name]): void {
    const severity = EVENT_SEVERITIES[event];
    const toldMs = this.#parts.clock.monotonic();
    const encode = (at: string | undefined): string => encodeEvent(at, event, fields);
    this.#waiting.push({ severity, toldMs, encode, flying: false });
    if (this.#waiting.length > EVENTS_MAX) this.#dropOne();
    this.#sendAll();
    if (severity === 'alarm') for (const wake of this.#urgentListeners) wake();
  }

  /** A session has begun: all that no broker has yet is sent with `send`. */
  begin(send: SendEvent): void {
    for (const event of this.#waiting) event.flying = false;
    this.#send = send;
    this.#sendAll();
  }

  /** The session is over. */
  end(): void {
    this.#send = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #sendAll(): void {
    for (const event of this.#waiting) {
      if (this.#send === undefined || event.flying) continue;
      event.flying = true;
      event.payload ??= event.encode(this.#dateOf(event));
      const { topic } = this.#parts;
      this.#send({ topic, payload: event.payload }, (refusal) => this.#answered(event, refusal));
    }
  }

  #answered(event: Waiting, refusal: Failure | undefined): void {
    if (refusal !== undefined && verdictOnRefusal(refusal.code, 1) === 'wait') {
      event.flying = false;
      this.#cancelRetry ??= this.#parts.clock.after(RETRY_MS, () => {
        this.#cancelRetry = undefined;
        this.#sendAll();
      });
      return;
    }
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((one) => one !== event);
    if (refusal !== undefined) this.#dropped += before - this.#waiting.length;
    else this.#sent += 1;
  }

  #dropOne(): void {
    const ranks = this.#waiting.map(({ severity }) => LEAST_FIRST.indexOf(severity));
    this.#waiting.splice(ranks.indexOf(Math.min(...ranks)), 1);
    this.#dropped += 1;
  }

  #dateOf({ toldMs }: Waiting): string | undefined {
    const { clock } = this.#parts;
    const { second, nanosecond, trust } = clock.wall();
    if (trust === 'untrusted') return undefined;
    const agoMs = clock.monotonic() - toldMs;
    return new Date(second * 1000 + nanosecond / 1e6 - agoMs).toISOString();
  }
}
