import type { Failure } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import { Attention } from './attention.ts';
import type { Budget } from './pacing.ts';
import { packetBytesOf } from './packet.ts';
import { codesThat } from './reason-codes.ts';
import { SendWindow } from './send-window.ts';
import type { Message, Session } from './session.ts';
import type { TrafficMeter } from './traffic-meter.ts';
import type { WindowStatus } from './uplink.ts';

/** The broker owes an answer to each message; one that is silent for so long is gone. */
const ANSWER_TIMEOUT_MS = 30_000;
const SLOWER: ReadonlySet<string> = new Set(codesThat(({ message }) => message === 'slower'));

export interface PublisherParts {
  readonly session: Session;
  readonly clock: Clock;
  /** What a metered link may carry; it lives longer than the session. */
  readonly budget: Budget;
  readonly traffic: TrafficMeter;
  /** Called when there may be room again: after each answer, and when the budget allows. */
  readonly ready: () => void;
}

/** Sends over one session within its window and the budget, and leaves a broker that is silent. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #window: SendWindow;
  readonly #attention: Attention;
  /** Bytes on the wire that the budget knows of. */
  #charged: number;
  #over = false;
  #cancelWatch: (() => void) | undefined;
  #cancelSaving: (() => void) | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#window = new SendWindow(parts.session.receiveMaximum);
    this.#attention = new Attention(parts.clock);
    this.#charged = parts.traffic.total;
  }

  get inFlight(): number {
    return this.#window.inFlight;
  }

  get window(): WindowStatus {
    return { messagesMax: this.#window.size, messages: this.#window.inFlight };
  }

  /** Largest pack to make now. */
  get packBytesMax(): number {
    return this.#window.packBytesMax;
  }

  /** Whether one more may go; what is urgent has places of its own and does not ask the budget. */
  mayPublish(urgent: boolean): boolean {
    return this.#window.hasPlace(urgent) && (urgent || this.#affordable());
  }

  /** `done` gets the broker's refusal, or nothing; it is not called after the end. */
  publish(message: Message, done: (refusal?: Failure) => void): void {
    const { session, clock, traffic, ready } = this.#parts;
    const bytes = packetBytesOf(message);
    this.#attention.begin();
    const flying = this.#window.sent(bytes, clock.monotonic());
    this.#charge(bytes);
    session.publish(message, (refusal) => {
      if (this.#over) return;
      const overQuota = refusal !== undefined && SLOWER.has(refusal.code);
      this.#window.answered(flying, clock.monotonic(), overQuota, this.#attention.unseenMs);
      this.#charge(Math.max(0, traffic.total - this.#charged));
      this.#watch();
      done(refusal);
      ready();
      if (this.inFlight === 0) this.#attention.end();
    });
    if (this.#cancelWatch === undefined) this.#watch();
  }

  end(): void {
    this.#over = true;
    this.#attention.end();
    this.#cancelWatch?.();
    this.#cancelSaving?.();
  }

  #affordable(): boolean {
    const { clock, budget, ready } = this.#parts;
    const waitMs = budget.waitMs(clock.monotonic());
    if (waitMs === 0) return true;
    this.#cancelSaving ??= clock.after(waitMs, () => {
      this.#cancelSaving = undefined;
      ready();
    });
    return false;
  }

  /** What was sent is charged at once, what TLS and answers add when it shows. */
  #charge(bytes: number): void {
    const { clock, budget } = this.#parts;
    this.#charged += bytes;
    budget.spend(bytes, clock.monotonic());
  }

  /** Runs from the last answer on, as long as one is owed. */
  #watch(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = this.#parts.clock.after(ANSWER_TIMEOUT_MS, () => {
      this.#cancelWatch = undefined;
      if (this.inFlight > 0) this.#parts.session.abort(SILENT);
    });
  }
}

const SILENT: Failure = {
  code: 'broker-silent',
  message: `the broker did not answer for ${ANSWER_TIMEOUT_MS / 1000} s`,
  hint: 'The connection may be half open, or the broker is overloaded.',
};
