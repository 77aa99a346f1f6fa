import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { BUSY, STUCK } from './client-failures.ts';
import type { ClientSettings } from './client-options.ts';
import type { HdlcControl, SupervisoryKind } from './control.ts';
import type { Acceptance } from './exchange.ts';
import { Exchange } from './exchange.ts';
import type { PlacedFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import type { Patience } from './patience.ts';
import type { ApduStation } from './station.ts';

/** I, RR, RNR and REJ: frames that acknowledge. */
export type Numbered = Extract<HdlcControl, { readonly receive: number }>;

type Whose =
  /** Ours, and there is nothing to send. */
  | 'ours'
  /** The meter's, until its final bit. */
  | 'theirs'
  /** The meter has nothing yet, or is busy: it is polled again in a while. */
  | 'pausing';

export interface TurnParts {
  readonly settings: ClientSettings;
  readonly station: ApduStation;
  readonly patience: Patience;
}

/**
 * Who has the right to send on a data link that stands (IEC 62056-46, 6.4.4.4: two-way alternate),
 * and what the client does with it: send its window, poll for more, give a busy meter time.
 * Methods that return a failure mean that the link can no longer go on.
 */
export class Turn {
  readonly #settings: ClientSettings;
  readonly #station: ApduStation;
  readonly #patience: Patience;
  readonly #exchange: Exchange;
  #whose: Whose = 'ours';
  /** Asked in vain so often, by time-out or by answers that bring nothing. */
  #vain = 0;
  /** More is to come, though nothing of it may have come yet. */
  #awaiting = false;
  /** Nothing more is to be sent: the right is wanted for leaving. */
  #leaving = false;
  /** The meter takes no I frames (RNR). */
  #peerBusy = false;
  /** While pausing: when to poll again; and since when the meter has brought nothing. */
  #pollAt = 0;
  #busySince = 0;

  constructor({ settings, station, patience }: TurnParts, parameters: HdlcParameters) {
    this.#settings = settings;
    this.#station = station;
    this.#patience = patience;
    this.#exchange = new Exchange(parameters, 'client');
  }

  get isOurs(): boolean {
    return this.#whose === 'ours';
  }

  get isPausing(): boolean {
    return this.#whose === 'pausing';
  }

  /** When to call `waited`. */
  get deadline(): number {
    if (this.#whose === 'ours') return Infinity;
    return this.#whose === 'pausing' ? this.#pollAt : this.#patience.deadline;
  }

  /** Errors: `too-long`. */
  send(apdu: Uint8Array, at: number): void {
    this.#exchange.offer(apdu);
    this.expect(at);
  }

  /** An APDU is to come, asked for or not. */
  expect(at: number): void {
    this.#awaiting = true;
    if (!this.isOurs) return;
    this.#vain = 0;
    this.#busySince = at;
    this.#proceed(at);
  }

  /** From now on the right to send is kept as soon as it is ours. */
  leave(): void {
    this.#leaving = true;
  }

  /** The deadline has passed; `false` when it was asked in vain too often. */
  waited(at: number): boolean {
    if (this.#whose === 'pausing') {
      this.#proceed(at);
      return true;
    }
    this.#vain += 1;
    if (this.#vain >= this.#settings.attempts) return false;
    if (this.#mayWrite) this.#sendWindow(at);
    else this.#ask(at);
    return true;
  }

  /** Takes a frame of the meter. */
  take(placed: PlacedFrame, control: Numbered, at: number): Failure | undefined {
    const before = this.#exchange.waiting;
    if (!this.#exchange.acknowledge(control.receive)) {
      const message = `N(R) ${control.receive} acknowledges what was not sent`;
      this.#station.discard(placed, 'out-of-sequence', message);
      return undefined;
    }
    const acknowledged = this.#exchange.waiting < before;
    const wasBusy = this.#peerBusy;
    this.#peerBusy = control.kind === 'RNR';
    const progress = acknowledged || (wasBusy && !this.#peerBusy);
    if (progress) this.#vain = 0;
    if (control.kind === 'I') return this.#information(placed, control, progress, at);
    return control.poll ? this.#final(control.kind, progress, at) : undefined;
  }

  /** An unnumbered frame with the final bit gives the right back, too. */
  yielded(at: number): Failure | undefined {
    return this.#whose === 'theirs' ? this.#turn('RR', false, at) : undefined;
  }

  #information(
    placed: PlacedFrame,
    control: Extract<HdlcControl, { kind: 'I' }>,
    progress: boolean,
    at: number,
  ): Failure | undefined {
    try {
      const taken = this.#accepted(placed, control.send);
      const segment = taken === 'segment' && placed.frame.information.length > 0;
      const brought = taken === 'apdu' || segment;
      if (brought) this.#vain = 0;
      // An answer that came twice has been acted on: its final bit gives no right any more.
      const stale = taken === 'repeated' && !progress;
      return control.poll && !stale ? this.#final('I', brought || progress, at) : undefined;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return failureOf(error);
    }
  }

  #accepted(placed: PlacedFrame, send: number): Acceptance['kind'] {
    const acceptance = this.#exchange.accept(placed, send);
    if (acceptance.kind === 'apdu') {
      this.#awaiting = false;
      this.#station.apdu(acceptance.apdu, acceptance.place);
    } else if (acceptance.kind !== 'segment') {
      const message = `N(S) ${send} where ${this.#exchange.receive} was to come`;
      this.#station.discard(placed, 'out-of-sequence', message);
    }
    if (acceptance.kind === 'gap') this.#awaiting = true;
    return acceptance.kind;
  }

  /** The final bit; while we have the right to send it says something only if it is late. */
  #final(kind: 'I' | SupervisoryKind, progress: boolean, at: number): Failure | undefined {
    const late = this.#whose === 'pausing' && progress;
    if (this.#whose === 'theirs' || late) return this.#turn(kind, progress, at);
    return undefined;
  }

  /** The right to send is back. */
  #turn(kind: 'I' | SupervisoryKind, progress: boolean, at: number): Failure | undefined {
    if (progress) this.#busySince = at;
    const nothingYet = kind === 'RR' && this.#exchange.waiting === 0;
    const busy = kind === 'RNR' || (nothingYet && this.#expecting);
    if (progress || this.#leaving || (nothingYet && !busy)) {
      this.#proceed(at);
      return undefined;
    }
    return busy ? this.#waitForBusy(at) : this.#stuck(at);
  }

  #waitForBusy(at: number): Failure | undefined {
    this.#vain = 0;
    if (at - this.#busySince >= this.#settings.busyMs) return BUSY;
    this.#pause(at);
    return undefined;
  }

  #stuck(at: number): Failure | undefined {
    this.#vain += 1;
    if (this.#vain >= this.#settings.attempts) return STUCK;
    this.#pause(at);
    return undefined;
  }

  /**
   * Not only a busy meter is given time: an answer that brings nothing may be a late one to a poll
   * that was repeated. To act on both would double everything from then on.
   */
  #pause(at: number): void {
    this.#whose = 'pausing';
    this.#pollAt = at + this.#settings.pollMs;
  }

  /** The right to send is ours: keep it for leaving, send, ask on, or rest. */
  #proceed(at: number): void {
    if (this.#leaving) this.#whose = 'ours';
    else if (this.#mayWrite) this.#sendWindow(at);
    else if (this.#peerBusy || this.#expecting) this.#ask(at);
    else this.#whose = 'ours';
  }

  get #mayWrite(): boolean {
    return this.#exchange.waiting > 0 && !this.#peerBusy;
  }

  get #expecting(): boolean {
    return this.#awaiting || this.#exchange.unfinished;
  }

  #sendWindow(at: number): void {
    let octets = 0;
    for (const { control, information, segmented } of this.#exchange.window()) {
      octets += this.#station.write(control, information, { segmented });
    }
    this.#whose = 'theirs';
    this.#patience.asked(at, octets);
  }

  #ask(at: number): void {
    const { receive } = this.#exchange;
    this.#whose = 'theirs';
    this.#patience.asked(at, this.#station.write({ kind: 'RR', receive, poll: true }));
  }
}
