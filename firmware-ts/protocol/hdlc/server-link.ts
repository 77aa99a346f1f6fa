import { OperatingError } from '#bytes/failure.ts';
import type { Step } from '../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { FramerEvent } from '../framer.ts';
import type { HdlcAddress } from './address.ts';
import type { HdlcControl } from './control.ts';
import { byteOfControl } from './control.ts';
import { Exchange } from './exchange.ts';
import type { HdlcFrame, PlacedFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import {
  HDLC_DEFAULTS,
  INFORMATION_MAX,
  agreed,
  boundedParameters,
  encodeHdlcParameters,
} from './parameters.ts';
import type { RejectionReason } from './rejection.ts';
import { encodeRejection } from './rejection.ts';
import { segmentsOf } from './segments.ts';
import { ApduStation } from './station.ts';
import { UnnumberedInformation } from './unnumbered.ts';

export interface HdlcServerOptions {
  readonly server: HdlcAddress;
  /** The only client that is served; without it, whoever comes first. */
  readonly client?: HdlcAddress;
  /** The most that this server agrees to; the defaults of the standard unless given. */
  readonly limits?: Partial<HdlcParameters>;
  readonly stuffing?: boolean;
  /** Information octets a frame, where this server sends less than was agreed, as many do. */
  readonly segmentBytes?: number;
  /** How long a poll waits for the application's answer before it is answered RR; 1000 ms. */
  readonly holdMs?: number;
  /** Longest pause inside a frame; 1000 ms. */
  readonly interOctetMs?: number;
  /** A client that is silent so long is let go; 120 000 ms (IEC 62056-6-2, IEC HDLC setup). */
  readonly inactivityMs?: number;
}

type State = 'disconnected' | 'connected' | 'rejected';
type Numbered = Extract<HdlcControl, { readonly receive: number }>;

const DEFAULTS = {
  limits: {},
  stuffing: false,
  segmentBytes: INFORMATION_MAX,
  holdMs: 1000,
  interOctetMs: 1000,
  inactivityMs: 120_000,
};

/**
 * The server's side of the data link (IEC 62056-46, 6.4): it speaks only when polled, and the last
 * frame of what it says has the final bit. `start` begins to listen; `opened` comes with SNRM.
 */
export class HdlcServerLink implements ApduLink {
  readonly #options: Required<Omit<HdlcServerOptions, 'client'>>;
  readonly #client: HdlcAddress | undefined;
  readonly #station: ApduStation;
  readonly #unnumbered = new UnnumberedInformation();
  #state: State = 'disconnected';
  #negotiated = HDLC_DEFAULTS;
  #exchange = new Exchange(HDLC_DEFAULTS, 'server');
  #rejection: Uint8Array = new Uint8Array(0);
  /** The application owes an answer to an APDU. */
  #owing = false;
  /** Until when a poll is held back for it; `undefined` while there is no poll. */
  #heldUntil: number | undefined;
  #heardAt = 0;
  /** No I frame is taken, and polls are answered RNR. */
  busy = false;

  constructor(options: HdlcServerOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#client = options.client;
    const { server: own, stuffing } = this.#options;
    this.#station = new ApduStation({ own, peer: options.client, stuffing });
  }

  get deadline(): number {
    return Math.min(this.#flushAt, this.#heldUntil ?? Infinity, this.#forgetAt);
  }

  get #flushAt(): number {
    const { interOctetMs } = this.#options;
    return this.#station.unfinished ? this.#station.lastAt + interOctetMs : Infinity;
  }

  get #forgetAt(): number {
    return this.#state === 'disconnected' ? Infinity : this.#heardAt + this.#options.inactivityMs;
  }

  start(at: number): Step<ApduLinkMessage> {
    this.#station.clear();
    this.#unnumbered.clear();
    this.#heardAt = at;
    this.#disconnected();
    return this.#station.step();
  }

  receive(chunk: Uint8Array, at: number): Step<ApduLinkMessage> {
    this.#take(this.#station.receive(chunk, at), at);
    return this.#station.step();
  }

  expire(at: number): Step<ApduLinkMessage> {
    if (at >= this.#flushAt) this.#take(this.#station.flush(), at);
    if (this.#heldUntil !== undefined && at >= this.#heldUntil) this.#sayReady();
    if (at >= this.#forgetAt) {
      this.#disconnected();
      this.#station.message({ kind: 'closed' }, { offset: 0, length: 0 });
    }
    return this.#station.step();
  }

  /** The answer to the request; without one, what is sent with the next poll. */
  send(apdu: Uint8Array): Step<ApduLinkMessage> {
    if (this.#state !== 'connected') {
      throw new OperatingError('not-connected', 'an APDU to a client that is not connected');
    }
    this.#exchange.offer(apdu);
    this.#owing = false;
    if (this.#heldUntil !== undefined) this.#sendWindow();
    return this.#station.step();
  }

  /** An APDU that nobody asked for, in UI frames, which are not acknowledged. */
  announce(apdu: Uint8Array, to = this.#client): Step<ApduLinkMessage> {
    const parts = segmentsOf(apdu, this.#negotiated.informationTransmit);
    for (const [index, information] of parts.entries()) {
      const segmented = index < parts.length - 1;
      const control = { kind: 'UI', poll: !segmented } as const;
      this.#station.write(control, information, { segmented, ...(to && { to }) });
    }
    return this.#station.step();
  }

  /** A server cannot take leave; it answers DM from now on. */
  close(): Step<ApduLinkMessage> {
    this.#disconnected();
    this.#station.message({ kind: 'closed' }, { offset: 0, length: 0 });
    return this.#station.step();
  }

  stop(): Step<ApduLinkMessage> {
    this.#disconnected();
    return this.#station.step();
  }

  #take(events: readonly FramerEvent<HdlcFrame>[], at: number): void {
    for (const event of events) {
      if (event.kind === 'discarded') this.#station.event(event);
      else this.#understood(event, at);
    }
  }

  #understood(placed: PlacedFrame, at: number): void {
    if (!this.#station.isMine(placed.frame)) {
      this.#station.discard(placed, 'wrong-address', 'a frame between other stations');
      return;
    }
    this.#heardAt = at;
    const { control } = placed.frame;
    if (control.kind === 'SNRM') this.#setUp(placed);
    else if (control.kind === 'DISC') this.#takeLeave(placed, control.poll);
    else if (control.kind === 'UI') this.#unconfirmed(placed);
    else this.#inMode(placed, control, at);
  }

  /** Everything that makes sense in normal response mode only. */
  #inMode(placed: PlacedFrame, control: HdlcControl, at: number): void {
    const poll = 'poll' in control ? control.poll : true;
    if (this.#state === 'disconnected') {
      const to = placed.frame.source;
      if (poll) this.#station.write({ kind: 'DM', poll: true }, undefined, { to });
      this.#station.discard(placed, 'unexpected-frame', `${control.kind} while disconnected`);
    } else if (this.#state === 'rejected') {
      if (poll) this.#sayRejected();
      this.#station.discard(placed, 'unexpected-frame', `${control.kind} after FRMR`);
    } else if ('receive' in control) this.#numbered(placed, control, at);
    else if (control.kind === 'unknown') this.#reject(placed, 'control-undefined');
    else this.#station.discard(placed, 'unexpected-frame', `${control.kind} from a client`);
  }

  #setUp(placed: PlacedFrame): void {
    const again = this.#state !== 'disconnected';
    this.#disconnected();
    this.#station.peer = placed.frame.source;
    this.#negotiated = agreed(
      boundedParameters(this.#options.limits),
      this.#station.parametersIn(placed),
    );
    this.#exchange = new Exchange(this.#sending, 'server');
    this.#state = 'connected';
    this.#station.write({ kind: 'UA', poll: true }, encodeHdlcParameters(this.#negotiated));
    if (again) this.#station.message({ kind: 'closed' }, placed);
    this.#station.message({ kind: 'opened' }, placed);
  }

  get #sending(): HdlcParameters {
    const { informationTransmit } = this.#negotiated;
    const least = Math.min(informationTransmit, this.#options.segmentBytes);
    return { ...this.#negotiated, informationTransmit: least };
  }

  #takeLeave(placed: PlacedFrame, poll: boolean): void {
    const connected = this.#state !== 'disconnected';
    const kind = connected ? 'UA' : 'DM';
    if (poll) this.#station.write({ kind, poll: true }, undefined, { to: placed.frame.source });
    this.#disconnected();
    if (connected) this.#station.message({ kind: 'closed' }, placed);
  }

  #unconfirmed(placed: PlacedFrame): void {
    for (const { apdu, failure, ...place } of this.#unnumbered.take(placed)) {
      if (apdu) this.#station.apdu(apdu, place);
      if (failure) this.#station.event({ kind: 'discarded', ...place, failure });
    }
  }

  #numbered(placed: PlacedFrame, control: Numbered, at: number): void {
    if (!this.#exchange.acknowledge(control.receive)) {
      this.#reject(placed, 'receive-number-invalid');
    } else {
      const goesOn = control.kind !== 'I' || this.#information(placed, control.send);
      if (goesOn && control.poll) this.#polled(control.kind === 'RNR', at);
    }
  }

  /** Whether the link goes on. */
  #information(placed: PlacedFrame, send: number): boolean {
    if (placed.frame.information.length > this.#negotiated.informationReceive) {
      this.#reject(placed, 'information-too-long');
      return false;
    }
    if (this.busy) return true;
    try {
      const acceptance = this.#exchange.accept(placed, send);
      if (acceptance.kind === 'apdu') {
        this.#owing = true;
        this.#station.apdu(acceptance.apdu, acceptance.place);
      } else if (acceptance.kind !== 'segment') {
        const message = `N(S) ${send} where ${this.#exchange.receive} was to come`;
        this.#station.discard(placed, 'out-of-sequence', message);
      }
      return true;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#reject(placed, 'information-too-long');
      return false;
    }
  }

  #polled(peerBusy: boolean, at: number): void {
    if (this.#exchange.waiting > 0 && !peerBusy) this.#sendWindow();
    else if (this.#owing && !this.busy) this.#heldUntil = at + this.#options.holdMs;
    else this.#sayReady();
  }

  #sendWindow(): void {
    this.#heldUntil = undefined;
    for (const { control, information, segmented } of this.#exchange.window()) {
      this.#station.write(control, information, { segmented });
    }
  }

  #sayReady(): void {
    this.#heldUntil = undefined;
    const { receive } = this.#exchange;
    this.#station.write({ kind: this.busy ? 'RNR' : 'RR', receive, poll: true });
  }

  /** FRMR, until the client sets the link up anew or takes leave. */
  #reject(placed: PlacedFrame, reason: RejectionReason): void {
    const { send, receive } = this.#exchange;
    const control = byteOfControl(placed.frame.control);
    this.#rejection = encodeRejection({
      control,
      send,
      receive,
      response: false,
      reasons: [reason],
    });
    this.#state = 'rejected';
    this.#heldUntil = undefined;
    this.#station.discard(placed, 'link-rejected', `answered FRMR: ${reason}`);
    this.#sayRejected();
  }

  #sayRejected(): void {
    this.#station.write({ kind: 'FRMR', poll: true }, this.#rejection);
  }

  #disconnected(): void {
    this.#state = 'disconnected';
    this.#station.peer = this.#client;
    this.#negotiated = HDLC_DEFAULTS;
    this.#owing = false;
    this.#heldUntil = undefined;
  }
}
