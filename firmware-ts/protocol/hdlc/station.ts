import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { FramerEvent } from '../framer.ts';
import type { HdlcAddress } from './address.ts';
import { sameStation } from './address.ts';
import type { HdlcControl } from './control.ts';
import type { FramePlace, HdlcFrame, PlacedFrame } from './frame.ts';
import { encodeHdlcFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import { HDLC_DEFAULTS, decodeHdlcParameters } from './parameters.ts';
import { flagged, hdlcFramer, stuffed } from './framer.ts';

const NOTHING = new Uint8Array(0);

export interface StationOptions {
  readonly own: HdlcAddress;
  /** Absent while anybody may call. */
  readonly peer?: HdlcAddress | undefined;
  /** Sends with octet stuffing (ISO/IEC 13239, 4.5.2); what comes is read either way. */
  readonly stuffing?: boolean | undefined;
}

/** One end of an HDLC line: frames to and from bytes, and whose they are. */
export class ApduStation {
  readonly #own: HdlcAddress;
  readonly #stuffing: boolean;
  peer: HdlcAddress | undefined;
  #framer = hdlcFramer();
  #send: Uint8Array[] = [];
  #events: ConnectionEvent<ApduLinkMessage>[] = [];
  #lastAt = 0;

  constructor({ own, peer, stuffing = false }: StationOptions) {
    this.#own = own;
    this.peer = peer;
    this.#stuffing = stuffing;
  }

  /** When the last byte came. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** A frame has begun and not ended: more has come than the flag that may also open the next. */
  get unfinished(): boolean {
    return this.#framer.pending > 1;
  }

  clear(): void {
    this.#framer = hdlcFramer();
    this.#send = [];
    this.#events = [];
  }

  receive(chunk: Uint8Array, at: number): readonly FramerEvent<HdlcFrame>[] {
    this.#lastAt = at;
    return this.#framer.push(chunk);
  }

  /** The line fell silent. */
  flush(): readonly FramerEvent<HdlcFrame>[] {
    return this.#framer.flush();
  }

  /** Whether the frame is from the peer to us. */
  isMine({ destination, source }: HdlcFrame): boolean {
    const known = this.peer === undefined || sameStation(source, this.peer);
    return known && sameStation(destination, this.#own);
  }

  /** Queues a frame; returns how many octets go over the line. */
  write(
    control: HdlcControl,
    information: Uint8Array = NOTHING,
    { segmented = false, to = this.peer }: { segmented?: boolean; to?: HdlcAddress } = {},
  ): number {
    if (to === undefined) return 0;
    const frame = { segmented, destination: to, source: this.#own, control, information };
    const inside = encodeHdlcFrame(frame);
    const bytes = flagged(this.#stuffing ? stuffed(inside) : inside);
    this.#send.push(bytes);
    return bytes.length;
  }

  /** What a peer proposes or grants; what makes no sense is told, and the defaults hold. */
  parametersIn({ offset, length, frame }: PlacedFrame): HdlcParameters {
    try {
      return decodeHdlcParameters(frame.information);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#events.push({ kind: 'discarded', offset, length, failure: failureOf(error) });
      return HDLC_DEFAULTS;
    }
  }

  event(event: ConnectionEvent<ApduLinkMessage>): void {
    this.#events.push(event);
  }

  message(message: ApduLinkMessage, { offset, length }: FramePlace): void {
    this.#events.push({ kind: 'message', offset, length, message });
  }

  /** Every frame of it has its check. */
  apdu(bytes: Uint8Array, place: FramePlace): void {
    this.message({ kind: 'apdu', bytes, integral: true }, place);
  }

  discard({ offset, length }: FramePlace, code: string, message: string): void {
    this.#events.push({ kind: 'discarded', offset, length, failure: { code, message, offset } });
  }

  /** What has gathered since it was last taken. */
  step(): Step<ApduLinkMessage> {
    if (this.#send.length === 0 && this.#events.length === 0) return QUIET;
    const step = { send: this.#send, events: this.#events };
    this.#send = [];
    this.#events = [];
    return step;
  }
}
