import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Step } from '../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { FramerEvent } from '../framer.ts';
import { NO_ANSWER, NO_ANSWER_TO_SNRM, REFUSED, REJECTED_HINT, RESET } from './client-failures.ts';
import type { ClientSettings, HdlcClientOptions } from './client-options.ts';
import { settingsOf } from './client-options.ts';
import type { HdlcControl } from './control.ts';
import type { FramePlace, HdlcFrame, PlacedFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import { HDLC_DEFAULTS, agreed, encodeHdlcParameters, sameParameters } from './parameters.ts';
import { Patience } from './patience.ts';
import { decodeRejection, textOfRejection } from './rejection.ts';
import { ApduStation } from './station.ts';
import type { Numbered } from './turn.ts';
import { Turn } from './turn.ts';
import { UnnumberedInformation } from './unnumbered.ts';

type State =
  /** Not started, or at its end. */
  | 'down'
  /** SNRM is out. */
  | 'opening'
  /** The link stands; whose turn it is `Turn` knows. */
  | 'open'
  /** DISC is out. */
  | 'closing';

/** Of messages that no bytes brought. */
const NOWHERE = { offset: 0, length: 0 };

type Numberless = Exclude<HdlcControl, Numbered>;

/**
 * The client's side of the data link (IEC 62056-46, 6.4: unbalanced, normal response mode, two-way
 * alternate): it alone begins, and the meter answers until its final bit. Whatever gets lost
 * is asked for again, with the poll bit, a bounded number of times. Here the link is set up and
 * left; while it stands the exchange is that of `Turn`.
 */
export class HdlcClientLink implements ApduLink {
  readonly #settings: ClientSettings;
  readonly #station: ApduStation;
  readonly #unnumbered = new UnnumberedInformation();
  readonly #patience: Patience;
  #turn: Turn;
  #negotiated: HdlcParameters | undefined;
  #state: State = 'down';
  /** SNRM or DISC went out so often. */
  #asked = 0;
  #leaving = false;

  constructor(options: HdlcClientOptions) {
    this.#settings = settingsOf(options);
    const { client: own, server: peer, stuffing } = this.#settings;
    this.#station = new ApduStation({ own, peer, stuffing });
    this.#patience = new Patience(this.#settings);
    this.#turn = this.#turnWith(HDLC_DEFAULTS);
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
    if (this.#state === 'down') return Infinity;
    return this.#state === 'open' ? this.#turn.deadline : this.#patience.deadline;
  }

  start(at: number): Step<ApduLinkMessage> {
    this.#station.clear();
    this.#unnumbered.clear();
    this.#negotiated = undefined;
    this.#leaving = false;
    this.#asked = 0;
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
    this.#turn.send(apdu, at);
    return this.#station.step();
  }

  /**
   * One more APDU is expected without a request: blocks that stream, an event. A meter can send
   * only when polled, and once its answer has come it is not.
   */
  poll(at: number): Step<ApduLinkMessage> {
    if (this.#state === 'open') this.#turn.expect(at);
    return this.#station.step();
  }

  close(at: number): Step<ApduLinkMessage> {
    this.#leaving = true;
    this.#turn.leave();
    this.#leaveIfOurs(at);
    if (this.#state === 'down') this.#station.message({ kind: 'closed' }, NOWHERE);
    return this.#station.step();
  }

  /** There is no time to wait for an answer. */
  stop(): Step<ApduLinkMessage> {
    if (this.#state !== 'down') this.#station.write({ kind: 'DISC', poll: true });
    this.#down();
    return this.#station.step();
  }

  #turnWith(parameters: HdlcParameters): Turn {
    const parts = { settings: this.#settings, station: this.#station, patience: this.#patience };
    return new Turn(parts, parameters);
  }

  #setUp(at: number): void {
    const { proposal } = this.#settings;
    const silent = sameParameters(proposal, HDLC_DEFAULTS);
    const information = silent ? undefined : encodeHdlcParameters(proposal);
    this.#state = 'opening';
    this.#asked += 1;
    this.#patience.asked(at, this.#station.write({ kind: 'SNRM', poll: true }, information));
  }

  #leaveIfOurs(at: number): void {
    if (!this.#leaving || this.#state !== 'open' || !this.#turn.isOurs) return;
    this.#asked = 0;
    this.#takeLeave(at);
  }

  #takeLeave(at: number): void {
    this.#state = 'closing';
    this.#asked += 1;
    this.#patience.asked(at, this.#station.write({ kind: 'DISC', poll: true }));
  }

  /** Nothing came, or nothing whole. */
  #waited(at: number): void {
    if (this.#state === 'closing') this.#leaveAgain(at);
    else if (this.#leaving && !this.#pausing) {
      this.#asked = 0;
      this.#takeLeave(at);
    } else if (this.#state === 'opening') {
      if (this.#asked < this.#settings.attempts) this.#setUp(at);
      else this.#stall(NO_ANSWER_TO_SNRM);
    } else if (!this.#turn.waited(at)) this.#stall(NO_ANSWER);
    else this.#leaveIfOurs(at);
  }

  get #pausing(): boolean {
    return this.#state === 'open' && this.#turn.isPausing;
  }

  /** It was to be left anyway; a meter that forgets the link by itself does not answer. */
  #leaveAgain(at: number): void {
    if (this.#asked < this.#settings.attempts) this.#takeLeave(at);
    else this.#closed(NOWHERE);
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
      if (control.poll && state === 'open') this.#goesOn(this.#turn.yielded(at), at);
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
    this.#turn = this.#turnWith(this.#negotiated);
    if (this.#leaving) this.#turn.leave();
    this.#state = 'open';
    this.#station.message({ kind: 'opened' }, placed);
    this.#leaveIfOurs(at);
  }

  #numbered(placed: PlacedFrame, control: Numbered, at: number): void {
    if (this.#state === 'open') this.#goesOn(this.#turn.take(placed, control, at), at);
    else {
      this.#station.discard(placed, 'unexpected-frame', `${control.kind} while ${this.#state}`);
    }
  }

  #goesOn(failure: Failure | undefined, at: number): void {
    if (failure === undefined) this.#leaveIfOurs(at);
    else this.#stall(failure, 'DISC');
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
