import type { Connection, Step } from '#protocol/connection.ts';
import { QUIET } from '#protocol/connection.ts';
import type { MeterPush, PushReason } from './push-setup.ts';

/** Pushes into the stream that stands, beside what is asked over it. */
export class LinePush implements Connection<never> {
  readonly #push: MeterPush;
  readonly #framed: (apdu: Uint8Array) => readonly Uint8Array[];
  #dueAt = Infinity;
  /** Of each reason, what was pushed here or before. */
  readonly #done: Record<PushReason, number>;

  constructor(push: MeterPush, framed: (apdu: Uint8Array) => readonly Uint8Array[]) {
    this.#push = push;
    this.#framed = framed;
    this.#done = { alarm: push.wanted('alarm'), interval: push.wanted('interval') };
  }

  get deadline(): number {
    return this.#dueAt;
  }

  start(at: number): Step<never> {
    this.#dueAt = at + this.#push.description.everySeconds * 1000;
    return QUIET;
  }

  /** What was asked may be what is to be told: it goes behind the answer. */
  receive(): Step<never> {
    return this.#said([]);
  }

  expire(at: number): Step<never> {
    if (at < this.#dueAt) return this.#said([]);
    this.start(at);
    return this.#said(['interval']);
  }

  stop(): Step<never> {
    this.#dueAt = Infinity;
    return QUIET;
  }

  #said(due: readonly PushReason[]): Step<never> {
    const reasons = [...REASONS.filter((reason) => this.#isWanted(reason)), ...due];
    const send = reasons.flatMap((reason) => this.#framed(this.#push.apduFor(reason)));
    return { send, events: [] };
  }

  #isWanted(reason: PushReason): boolean {
    const before = this.#done[reason];
    this.#done[reason] = this.#push.wanted(reason);
    return this.#done[reason] > before;
  }
}

const REASONS: readonly PushReason[] = ['alarm', 'interval'];
