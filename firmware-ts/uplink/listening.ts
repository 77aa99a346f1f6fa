import type { Failure } from '#bytes/failure.ts';
import { Backoff, type BackoffLimits } from '#link/backoff.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Session, Subscription } from './session.ts';

/** From a minute to an hour: each try may cost the session, and all goes on without it. */
const RETRY: BackoffLimits = { firstMs: 120_000, capMs: 3_600_000 };
/** A broker owes an answer to a subscription, too. */
const ANSWER_WAIT_MS = 30_000;
const UNANSWERED: Failure = {
  code: 'broker-silent',
  message: `the broker did not answer the subscription for ${ANSWER_WAIT_MS / 1000} s`,
};
/** What is retained comes with each subscription until somebody removes it. */
const FLOOD = 'broker-flood';

export interface ListeningParts extends Subscription {
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'fraction'>;
  /** The broker lets us listen. */
  readonly granted: () => void;
  /** It does not; it is asked again after a while. */
  readonly failed: (failure: Failure) => void;
}

/** How one broker fared. */
interface Past {
  readonly retry: Backoff;
  /** Not to be asked before, monotonic. */
  notBeforeMs: number;
}

/**
 * Listens to one topic, session after session. A broker that refuses, or ends the session over it
 * (with a code that there is not, as some do where they do not allow it, or after a flood), is
 * asked again after a while; until then its sessions go on without.
 */
export class Listening {
  readonly #parts: ListeningParts;
  readonly #pasts = new Map<number, Past>();
  #stage: 'deaf' | 'asking' | 'listening' = 'deaf';
  #place = 0;
  #cancel = (): void => undefined;

  constructor(parts: ListeningParts) {
    this.#parts = parts;
  }

  /** A session with the broker at `place` has begun. */
  begin(session: Session, place: number): void {
    this.#place = place;
    this.#askInTime(session);
  }

  /** It is over, by this failure if it was lost; answers whether the subscription may be why. */
  end(loss?: Failure): boolean {
    const blamed =
      this.#stage === 'asking' || (this.#stage === 'listening' && loss?.code === FLOOD);
    this.#become('deaf');
    if (loss === undefined || !blamed) return false;
    this.#fail(loss);
    return true;
  }

  #askInTime(session: Session): void {
    const { clock } = this.#parts;
    const waitMs = this.#past.notBeforeMs - clock.monotonic();
    if (waitMs <= 0) this.#ask(session);
    else this.#cancel = clock.after(waitMs, () => this.#ask(session));
  }

  #ask(session: Session): void {
    const { topic, received, clock, granted } = this.#parts;
    this.#become('asking');
    let answered = false;
    const answer = (refusal?: Failure): void => {
      if (answered) return;
      answered = true;
      this.#become(refusal === undefined ? 'listening' : 'deaf');
      if (refusal === undefined) {
        granted();
        return;
      }
      this.#fail(refusal);
      this.#askInTime(session);
    };
    this.#cancel = clock.after(ANSWER_WAIT_MS, () => answer(UNANSWERED));
    const heard = (payload: Uint8Array): void => {
      this.#past.retry.reset();
      received(payload);
    };
    session.subscribe({ topic, received: heard }, answer);
  }

  #become(stage: 'deaf' | 'asking' | 'listening'): void {
    this.#cancel();
    this.#stage = stage;
  }

  #fail(failure: Failure): void {
    const past = this.#past;
    past.notBeforeMs = this.#parts.clock.monotonic() + past.retry.next();
    this.#parts.failed(failure);
  }

  get #past(): Past {
    const known = this.#pasts.get(this.#place);
    if (known !== undefined) return known;
    const past = { retry: new Backoff(this.#parts.entropy, RETRY), notBeforeMs: -Infinity };
    this.#pasts.set(this.#place, past);
    return past;
  }
}
