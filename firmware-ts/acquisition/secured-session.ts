import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { MeterAssociation } from '#identity/association.ts';
import type { ReservedCounter } from '#identity/reserved-counter.ts';
import { learnShortNames } from '#protocol/cosem/short-names.ts';
import type { ShortNameTable } from '#protocol/cosem/short-names.ts';
import type { Procedure } from '#protocol/dlms/procedure.ts';
import { readInvocationCounter } from '#protocol/dlms/resynchronise.ts';
import type { Resynchronisation } from '#protocol/dlms/resynchronise.ts';
import type { MeterSession } from './meter-session.ts';

/** Where the counter of a key is learned from, when it is not in the ledger or out of step. */
export type CounterOrigin =
  /** A public client reads it from the meter. */
  | { readonly kind: 'meter'; readonly object: Uint8Array; readonly openPublic: () => MeterSession }
  /** Somebody says it: 0 for a new key. */
  | { readonly kind: 'known'; readonly beginAt: number };

export interface SecuredSessionOptions {
  /** Opens a session by this association; once, and once more after the counter was refused. */
  readonly open: (association: MeterAssociation) => MeterSession;
  /** A fresh one for each session. */
  readonly associate: () => MeterAssociation;
  readonly counter?: ReservedCounter;
  readonly origin: CounterOrigin;
  /** Kept from session to session: a meter that goes on refusing is not tried again by itself. */
  readonly resynchronisation: Resynchronisation;
  /** With short names: filled by the first session. */
  readonly shortNames?: ShortNameTable;
}

/**
 * A session whose invocation counters are in step: read by a public client where nothing is known
 * of them, reserved before they are used, and brought into step once where the meter refuses them.
 */
export function openSecuredSession(options: SecuredSessionOptions): MeterSession {
  return new SecuredSession(options);
}

/** A refusal that need not say so, and may be of the counter all the same. */
const PERHAPS_OF_THE_COUNTER: readonly string[] = [
  'association-refused',
  'authentication-failed',
  'service-refused',
];
const OUT_OF_STEP = 'counter-out-of-step';

class SecuredSession implements MeterSession {
  readonly #options: SecuredSessionOptions;
  /** The one that is open. */
  #session: MeterSession | undefined;
  #association: MeterAssociation | undefined;
  #begun: Promise<MeterSession> | undefined;
  #refusal: Failure | undefined;
  #abandoned = false;

  constructor(options: SecuredSessionOptions) {
    this.#options = options;
  }

  get unverified(): boolean {
    return this.#session?.unverified === true;
  }

  async run<Result, Told>(
    work: Procedure<Result, Told>,
    told?: (told: Told) => unknown,
  ): Promise<Result> {
    const session = await this.#standing();
    try {
      const result = await session.run(work, told);
      this.#options.resynchronisation.succeeded();
      return result;
    } catch (error) {
      this.#refusal = failureOf(error);
      throw error;
    }
  }

  async associated(): Promise<void> {
    await this.#standing();
  }

  /** What was refused while the association stood is put right for the next session. */
  async close(): Promise<void> {
    await this.#closeSession();
    const refusal = this.#refusal;
    if (refusal?.code !== OUT_OF_STEP || this.#abandoned) return;
    await this.#isBroughtIntoStep(refusal).catch(() => false); // the next session finds it so
  }

  abandon(): void {
    this.#abandoned = true;
    this.#session?.abandon();
  }

  #standing(): Promise<MeterSession> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  async #begin(): Promise<MeterSession> {
    const { counter, shortNames } = this.#options;
    if (counter?.isKnown === false) await counter.raise(await this.#learned());
    const session = await this.#associate();
    if (shortNames?.isLearned === false) await session.run(learnShortNames(shortNames));
    return session;
  }

  async #associate(): Promise<MeterSession> {
    try {
      return await this.#opened();
    } catch (error) {
      await this.#closeSession();
      if (await this.#isBroughtIntoStep(failureOf(error))) return this.#opened();
      throw error;
    }
  }

  async #opened(): Promise<MeterSession> {
    const association = this.#options.associate();
    this.#association = association;
    await association.provide();
    const session = this.#use(this.#options.open(association));
    await session.associated();
    return session;
  }

  /** Whether another try is worth it. Errors: those of reading the counter, `counter-leap`. */
  async #isBroughtIntoStep(failure: Failure): Promise<boolean> {
    const { counter, resynchronisation } = this.#options;
    if (counter === undefined) return false;
    const wanted = await this.#wantedAfter(failure);
    if (wanted === undefined || !resynchronisation.isDue({ ...failure, code: OUT_OF_STEP })) {
      return false;
    }
    await counter.raise(wanted);
    return true;
  }

  /** Where to go on, if it was the counter that was refused. */
  async #wantedAfter({ code }: Failure): Promise<number | undefined> {
    const { counter, origin } = this.#options;
    const told = this.#association?.counterWanted;
    if (code === OUT_OF_STEP && (told !== undefined || origin.kind === 'known')) return told;
    const perhaps = PERHAPS_OF_THE_COUNTER.includes(code) && origin.kind === 'meter';
    if (code !== OUT_OF_STEP && !perhaps) return undefined;
    const learned = await this.#learned();
    return learned > (counter?.upcoming ?? 0) ? learned : undefined;
  }

  /** The first number that the meter takes, or that was not used. */
  async #learned(): Promise<number> {
    const { origin } = this.#options;
    if (origin.kind === 'known') return origin.beginAt;
    const session = this.#use(origin.openPublic());
    try {
      return (await session.run(readInvocationCounter(origin.object))) + 1;
    } finally {
      await this.#closeSession();
    }
  }

  #use(session: MeterSession): MeterSession {
    this.#session = session;
    if (this.#abandoned) session.abandon();
    return session;
  }

  async #closeSession(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }
}
