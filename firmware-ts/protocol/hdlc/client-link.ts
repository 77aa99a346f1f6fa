import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Step } from '../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { FramerEvent } from '../framer.ts';
import type { ClientSettings, HdlcClientOptions } from './client-options.ts';
import {
  BUSY,
  NO_ANSWER,
  NO_ANSWER_TO_SNRM,
  REFUSED,
  REJECTED_HINT,
  RESET,
  STUCK,
} from './client-failures.ts';
import { settingsOf } from './client-options.ts';
import type { HdlcControl, SupervisoryKind } from './control.ts';
import type { Acceptance } from './exchange.ts';
import { Exchange } from './exchange.ts';
import type { FramePlace, HdlcFrame, PlacedFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import { HDLC_DEFAULTS, agreed, encodeHdlcParameters, sameParameters } from './parameters.ts';
import { Patience } from './patience.ts';
import { decodeRejection, textOfRejection } from './rejection.ts';
import { ApduStation } from './station.ts';
import { UnnumberedInformation } from './unnumbered.ts';

type State =
  /** Not started, or at its end. */
  | 'down'
  /** SNRM is out. */
  | 'opening'
  /** The right to send is ours, and there is nothing to send. */
  | 'ready'
  /** The right to send is the meter's, until its final bit. */
  | 'polling'
  /** The meter has nothing yet, or is busy: it is polled again in a while. */
  | 'pausing'
  /** DISC is out. */
  | 'closing';

/** Of messages that no bytes brought. */
const NOWHERE = { offset: 0, length: 0 };

type FinalKind = 'I' | SupervisoryKind;
type Numbered = Extract<HdlcControl, { readonly receive: number }>;
type Numberless = Exclude<HdlcControl, Numbered>;

/**
 * The client's side of the data link (IEC 62056-46, 6.4: unbalanced, normal response mode, two-way
 * alternate): it alone begins, and the meter answers until its final bit. Whatever gets lost
 * is asked for again, with the poll bit, a bounded number of times.
 */
export class HdlcClientLink implements ApduLink {
  readonly #settings: ClientSettings;
  readonly #station: ApduStation;
  readonly #unnumbered = new UnnumberedInformation();
  readonly #patience: Patience;
  #exchange = new Exchange(HDLC_DEFAULTS, 'client');
  #negotiated: HdlcParameters | undefined;
  #state: State = 'down';
  /** Asked in vain so often, by time-out or by answers that bring nothing. */
  #vain = 0;
  /** More is to come, though nothing of it may have come yet. */
  #awaiting = false;
  #leaving = false;
  /** The meter takes no I frames (RNR). */
  #peerBusy = false;
  /** While pausing: when to poll again; and since when the meter has brought nothing. */
  #pollAt = 0;
  #busySince = 0;

  constructor(options: HdlcClientOptions) {
    this.#settings = settingsOf(options);
    const { client: own, server: peer, stuffing } = this.#settings;
    this.#station = new ApduStation({ own, peer, stuffing });
    this.#patience = new Patience(this.#settings);
  }

  /** What is in force; `undefined` while not connected. */
  get negotiated(): HdlcParameters | undefined {
    return this.#negotiated;
  }

  get deadline(): number {
    return Math.min(this.#flushAt, this.#waitEnd);
  }

  get #flushAt(): number {
    const { interOctetMs } = this.#settings;
    return this.#station.unfinished ? this.#station.lastAt + interOctetMs : Infinity;
  }

  get #waitEnd(): number {
    if (this.#state === 'down' || this.#state === 'ready') return Infinity;
    return this.#state === 'pausing' ? this.#pollAt : this.#patience.deadline;
  }

  start(at: number): Step<ApduLinkMessage> {
    this.#station.clear();
    this.#unnumbered.clear();
    this.#negotiated = undefined;
    this.#awaiting = false;
    this.#leaving = false;
    this.#vain = 0;
    this.#setUp(at);
    return this.#station.step();
  }

  receive(chunk: Uint8Array, at: number): Step<ApduLinkMessage> {
    this.#patience.heard(at);
    this.#take(this.#station.receive(chunk, at), at);
    return this.#station.step();
  }

  expire(at: number): Step<ApduLinkMessage> {
    if (at >= this.#flushAt) this.#take(this.#station.flush(), at);
    if (at >= this.#waitEnd) this.#waited(at);
    return this.#station.step();
  }

  send(apdu: Uint8Array, at: number): Step<ApduLinkMessage> {
    if (this.#negotiated === undefined) {
      throw new OperatingError('not-connected', 'an APDU before the data link is set up');
    }
    this.#exchange.offer(apdu);
    this.#awaiting = true;
    if (this.#state === 'ready') this.#begin(at);
    return this.#station.step();
  }

  /**
   * One more APDU is expected without a request: blocks that stream, an event. A meter can send
   * only when polled, and once its answer has come it is not.
   */
  poll(at: number): Step<ApduLinkMessage> {
    this.#awaiting = true;
    if (this.#state === 'ready') this.#begin(at);
    return this.#station.step();
  }

  close(at: number): Step<ApduLinkMessage> {
    this.#leaving = true;
    if (this.#state === 'ready') this.#begin(at);
    if (this.#state === 'down') this.#station.message({ kind: 'closed' }, NOWHERE);
    return this.#station.step();
  }

  /** There is no time to wait for an answer. */
  stop(): Step<ApduLinkMessage> {
    if (this.#state !== 'down') this.#station.write({ kind: 'DISC', poll: true });
    this.#down();
    return this.#station.step();
  }

  #begin(at: number): void {
    this.#vain = 0;
    this.#busySince = at;
    this.#proceed(at);
  }

  /** The right to send is ours: leave, send, ask on, or rest. */
  #proceed(at: number): void {
    if (this.#leaving) this.#takeLeave(at);
    else if (this.#exchange.waiting > 0 && !this.#peerBusy) this.#sendWindow(at);
    else if (this.#peerBusy || this.#expecting) this.#ask(at);
    else this.#state = 'ready';
  }

  get #expecting(): boolean {
    return this.#awaiting || this.#exchange.unfinished;
  }

  #setUp(at: number): void {
    const { proposal } = this.#settings;
    const silent = sameParameters(proposal, HDLC_DEFAULTS);
    const information = silent ? undefined : encodeHdlcParameters(proposal);
    this.#state = 'opening';
    this.#patience.asked(at, this.#station.write({ kind: 'SNRM', poll: true }, information));
  }

  #sendWindow(at: number): void {
    let octets = 0;
    for (const { control, information, segmented } of this.#exchange.window()) {
      octets += this.#station.write(control, information, { segmented });
    }
    this.#state = 'polling';
    this.#patience.asked(at, octets);
  }

  #ask(at: number): void {
    const { receive } = this.#exchange;
    this.#state = 'polling';
    this.#patience.asked(at, this.#station.write({ kind: 'RR', receive, poll: true }));
  }

  #takeLeave(at: number): void {
    this.#state = 'closing';
    this.#patience.asked(at, this.#station.write({ kind: 'DISC', poll: true }));
  }

  /** Nothing came, or nothing whole. */
  #waited(at: number): void {
    if (this.#state === 'pausing') {
      this.#proceed(at);
    } else if (this.#leaving && this.#state !== 'closing') {
      this.#vain = 0;
      this.#takeLeave(at);
    } else {
      this.#vain += 1;
      if (this.#vain < this.#settings.attempts) this.#again(at);
      else this.#giveUp();
    }
  }

  #again(at: number): void {
    if (this.#state === 'opening') this.#setUp(at);
    else if (this.#state === 'closing') this.#takeLeave(at);
    else if (this.#exchange.waiting > 0 && !this.#peerBusy) this.#sendWindow(at);
    else this.#ask(at);
  }

  #giveUp(): void {
    // It was to be left anyway; a meter that forgets the link by itself does not answer.
    if (this.#state === 'closing') this.#closed(NOWHERE);
    else this.#stall(this.#state === 'opening' ? NO_ANSWER_TO_SNRM : NO_ANSWER);
  }

  #take(events: readonly FramerEvent<HdlcFrame>[], at: number): void {
    for (const event of events) {
      if (event.kind === 'frame') this.#understood(event, at);
      else {
        this.#station.event(event);
        if (event.failure.code !== 'noise') this.#patience.garbled();
      }
    }
  }

  #understood(placed: PlacedFrame, at: number): void {
    if (!this.#station.isMine(placed.frame)) {
      this.#station.discard(placed, 'wrong-address', 'a frame between other stations');
      return;
    }
    this.#patience.understood(at);
    const { control } = placed.frame;
    if (control.kind === 'UI') this.#unasked(placed);
    if ('receive' in control) this.#numbered(placed, control, at);
    else this.#numberless(placed, control, at);
  }

  #unasked(placed: PlacedFrame): void {
    for (const { apdu, failure, ...place } of this.#unnumbered.take(placed)) {
      if (apdu) this.#station.apdu(apdu, place);
      if (failure) this.#station.event({ kind: 'discarded', ...place, failure });
    }
  }

  #numberless(placed: PlacedFrame, control: Numberless, at: number): void {
    const { kind } = control;
    const state = this.#state;
    if (kind === 'UI') {
      if (control.poll && state === 'polling') this.#turn('RR', false, at);
    } else if (kind === 'UA' && state === 'opening') {
      this.#opened(placed, at);
    } else if ((kind === 'UA' || kind === 'DM') && state === 'closing') {
      this.#closed(placed);
    } else if (kind === 'DM' && state !== 'down') {
      this.#stall(state === 'opening' ? REFUSED : RESET);
    } else if (kind === 'FRMR' && state !== 'down') {
      const message = textOfRejection(decodeRejection(placed.frame.information));
      this.#stall({ code: 'link-rejected', message, hint: REJECTED_HINT });
    } else {
      this.#station.discard(placed, 'unexpected-frame', `${kind} while ${state}`);
    }
  }

  #opened(placed: PlacedFrame, at: number): void {
    this.#negotiated = agreed(this.#settings.proposal, this.#station.parametersIn(placed));
    this.#exchange = new Exchange(this.#negotiated, 'client');
    this.#peerBusy = false;
    this.#vain = 0;
    this.#state = 'ready';
    this.#station.message({ kind: 'opened' }, placed);
    if (this.#leaving) this.#proceed(at);
  }

  #numbered(placed: PlacedFrame, control: Numbered, at: number): void {
    if (this.#negotiated === undefined || this.#state === 'closing') {
      this.#station.discard(placed, 'unexpected-frame', `${control.kind} while ${this.#state}`);
      return;
    }
    const before = this.#exchange.waiting;
    if (!this.#exchange.acknowledge(control.receive)) {
      const message = `N(R) ${control.receive} acknowledges what was not sent`;
      this.#station.discard(placed, 'out-of-sequence', message);
      return;
    }
    const acknowledged = this.#exchange.waiting < before;
    const wasBusy = this.#peerBusy;
    this.#peerBusy = control.kind === 'RNR';
    const progress = acknowledged || (wasBusy && !this.#peerBusy);
    if (progress) this.#vain = 0;
    if (control.kind === 'I') this.#information(placed, control, progress, at);
    else if (control.poll) this.#answered(control.kind, progress, at);
  }

  #information(
    placed: PlacedFrame,
    control: Extract<HdlcControl, { kind: 'I' }>,
    progress: boolean,
    at: number,
  ): void {
    const { frame } = placed;
    const taken = this.#accepted(placed, control.send);
    if (taken === undefined) return;
    const brought = taken === 'apdu' || (taken === 'segment' && frame.information.length > 0);
    if (brought) this.#vain = 0;
    if (taken === 'gap') this.#awaiting = true;
    // An answer that came twice has been acted on: its final bit gives no right any more.
    const stale = taken === 'repeated' && !progress;
    if (control.poll && !stale) this.#answered('I', brought || progress, at);
  }

  /** `undefined` where the link has come to its end. */
  #accepted(placed: PlacedFrame, send: number): Acceptance['kind'] | undefined {
    try {
      const acceptance = this.#exchange.accept(placed, send);
      if (acceptance.kind === 'apdu') {
        this.#awaiting = false;
        this.#station.apdu(acceptance.apdu, acceptance.place);
      } else if (acceptance.kind !== 'segment') {
        const message = `N(S) ${send} where ${this.#exchange.receive} was to come`;
        this.#station.discard(placed, 'out-of-sequence', message);
      }
      return acceptance.kind;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#stall(failureOf(error), 'DISC');
      return undefined;
    }
  }

  /** The final bit; while we have the right to send it says something only if it is late. */
  #answered(kind: FinalKind, progress: boolean, at: number): void {
    const late = this.#state === 'pausing' && progress;
    if (this.#state === 'polling' || late) this.#turn(kind, progress, at);
  }

  /** The right to send is back. */
  #turn(kind: FinalKind, progress: boolean, at: number): void {
    if (progress) this.#busySince = at;
    const nothingYet = kind === 'RR' && this.#exchange.waiting === 0;
    const busy = kind === 'RNR' || (nothingYet && this.#expecting);
    if (progress || this.#leaving || (nothingYet && !busy)) {
      this.#proceed(at);
    } else if (busy) {
      this.#vain = 0;
      if (at - this.#busySince < this.#settings.busyMs) this.#pause(at);
      else this.#stall(BUSY, 'DISC');
    } else {
      this.#vain += 1;
      if (this.#vain < this.#settings.attempts) this.#pause(at);
      else this.#stall(STUCK, 'DISC');
    }
  }

  /**
   * Not only a busy meter is given time: an answer that brings nothing may be a late one to a poll
   * that was repeated. To act on both would double everything from then on.
   */
  #pause(at: number): void {
    this.#state = 'pausing';
    this.#pollAt = at + this.#settings.pollMs;
  }

  #closed(place: FramePlace): void {
    this.#down();
    this.#station.message({ kind: 'closed' }, place);
  }

  /** With DISC where the meter is still there, so that it does not wait for us. */
  #stall(failure: Failure, farewell?: 'DISC'): void {
    if (farewell !== undefined) this.#station.write({ kind: farewell, poll: true });
    this.#down();
    this.#station.event({ kind: 'stalled', failure });
  }

  #down(): void {
    this.#state = 'down';
    this.#negotiated = undefined;
  }
}
