import { Backoff, type BackoffLimits } from '#link/backoff.ts';
import type { Entropy } from '#system/entropy.ts';

/** Each may take half a minute to show that it is dead, and all are tried within five. */
export const BROKERS_MAX = 4;
/** Between two tries of one broker while there is no session. */
const RETRY: BackoffLimits = { firstMs: 1000, capMs: 60_000 };
/**
 * A broker that dies loses all of its gateways at one moment, and they dial again, or dial the next
 * one, spread over so long: 300 come at 75 a second and not at 600, which a small broker can greet
 * over TLS. A broker that restarts within a second has all of them back within nine, which leaves
 * one for an alarm that has ten. A session that stood for less is followed as quickly: what flaps,
 * or hangs up over a message, does so for one gateway.
 */
const LOSS_SPREAD_MS = 4000;
/** Between the loss of a better broker and the return to it; longer each time that it fails. */
const RETURN: BackoffLimits = { firstMs: 60_000, capMs: 300_000 };
/** A session that stood for so long clears its broker's past. */
const WELL_AFTER_MS = 300_000;

export interface WeightedBroker {
  /** The heaviest that is well is used; which of equal ones is drawn by lot at the start. */
  readonly weight: number;
}

export type Choice =
  | { readonly kind: 'dial'; readonly broker: number }
  | { readonly kind: 'wait'; readonly untilMs: number };

interface Health {
  readonly weight: number;
  readonly lot: number;
  readonly retry: Backoff;
  readonly return: Backoff;
  /** Not to be dialled before, without a session and with one to a worse broker. */
  retryMs: number;
  returnMs: number;
  /** Last; without meaning before `retryMs` has one. */
  failedMs: number;
  wellSinceMs: number | undefined;
}

/**
 * Which of several brokers to dial. After a loss all are tried in turn, the best first, each
 * once before any is tried again: however often one fails, another that is well is reached.
 * Brokers go by their place in the list; times are monotonic milliseconds.
 */
export class BrokerChoice {
  readonly #brokers: readonly Health[];
  /** By preference. */
  readonly #order: readonly number[];
  readonly #entropy: Pick<Entropy, 'fraction'>;
  #untried: Set<number>;
  /** Welcomed last, and not sought in vain since. */
  #lastWell: number | undefined;
  /** None is dialled before, so that the next one does not get all that one has lost at once. */
  #calmMs = -Infinity;

  constructor(brokers: readonly WeightedBroker[], entropy: Pick<Entropy, 'fraction'>) {
    this.#entropy = entropy;
    this.#brokers = brokers.map(({ weight }) => ({
      weight,
      lot: entropy.fraction(),
      retry: new Backoff(entropy, RETRY),
      return: new Backoff(entropy, RETURN),
      retryMs: -Infinity,
      returnMs: -Infinity,
      failedMs: 0,
      wellSinceMs: undefined,
    }));
    this.#order = Array.from(this.#brokers.keys()).sort((a, b) => {
      const [one, other] = [this.#at(a), this.#at(b)];
      return other.weight - one.weight || one.lot - other.lot;
    });
    this.#untried = new Set(this.#order);
  }

  /**
   * What to do while there is no session; no broker rests for longer than `patienceMs`. Where that
   * is bounded, the broker that was well last comes first: a better one may still be silent.
   */
  next(nowMs: number, patienceMs = Infinity): Choice {
    const fromMs = (broker: number): number => {
      const { retryMs, failedMs, lot } = this.#at(broker);
      const restedMs = failedMs + (patienceMs * (1 + lot)) / 2;
      return Math.min(Math.max(retryMs, this.#calmMs), restedMs);
    };
    const ready = this.#orderWithin(patienceMs).filter((broker) => fromMs(broker) <= nowMs);
    if (ready.length === 0) {
      return { kind: 'wait', untilMs: Math.min(...this.#order.map(fromMs)) };
    }
    if (!ready.some((broker) => this.#untried.has(broker))) this.#untried = new Set(this.#order);
    const broker = ready.find((one) => this.#untried.has(one)) ?? 0;
    this.#untried.delete(broker);
    return { kind: 'dial', broker };
  }

  #orderWithin(patienceMs: number): readonly number[] {
    const first = this.#lastWell;
    if (patienceMs === Infinity || first === undefined) return this.#order;
    return [first, ...this.#order.filter((broker) => broker !== first)];
  }

  /** While a session with `broker` stands: the better one to dial beside it, and when. */
  better(broker: number): { readonly broker: number; readonly atMs: number } | undefined {
    const { weight } = this.#at(broker);
    const [first, ...others] = this.#order.filter((one) => this.#at(one).weight > weight);
    if (first === undefined) return undefined;
    const soonest = others.reduce(
      (best, one) => (this.#at(one).returnMs < this.#at(best).returnMs ? one : best),
      first,
    );
    return { broker: soonest, atMs: this.#at(soonest).returnMs };
  }

  /** A session with `broker` has begun. */
  welcomed(broker: number, nowMs: number): void {
    const health = this.#at(broker);
    health.wellSinceMs = nowMs;
    this.#lastWell = broker;
    this.#untried = new Set(this.#order);
  }

  /** Something came of the session with `broker`: its next failure is a first one again. */
  succeeded(broker: number): void {
    this.#at(broker).retry.reset();
  }

  /** The session with `broker` is over, and it is well. */
  left(broker: number, nowMs: number): void {
    const health = this.#at(broker);
    if (stoodMs(health, nowMs) >= WELL_AFTER_MS) health.return.reset();
    health.wellSinceMs = undefined;
  }

  /** `broker` could not be reached, or its session was lost. */
  failed(broker: number, nowMs: number): void {
    const health = this.#at(broker);
    if (health.wellSinceMs === undefined && this.#lastWell === broker) this.#lastWell = undefined;
    const spreadMs = Math.min(stoodMs(health, nowMs), LOSS_SPREAD_MS);
    this.left(broker, nowMs);
    health.failedMs = nowMs;
    const waitMs = health.retry.next(spreadMs);
    health.retryMs = nowMs + waitMs;
    this.#calmMs = nowMs + (waitMs <= spreadMs ? waitMs : spreadMs * this.#entropy.fraction());
    health.returnMs = nowMs + health.return.next();
    this.#untried.delete(broker);
  }

  #at(broker: number): Health {
    const health = this.#brokers[broker];
    if (health === undefined) throw new RangeError(`no broker ${broker}`);
    return health;
  }
}

function stoodMs({ wellSinceMs }: Health, nowMs: number): number {
  return nowMs - (wellSinceMs ?? nowMs);
}
