import { OperatingError } from '#bytes/failure.ts';
import type { HdlcControl } from './control.ts';
import type { FramePlace, PlacedFrame } from './frame.ts';
import type { HdlcParameters } from './parameters.ts';
import type { LlcSender } from './segments.ts';
import { APDU_BYTES_MAX, SegmentAssembler, segmentsOf, withoutLlc } from './segments.ts';

const MODULUS = 8;
/** More than any service queues; a caller that goes on has lost count of its requests. */
const SEGMENTS_MAX = 1 << 17;

/** An I frame to be sent; addresses and flags are the station's. */
export interface NumberedSegment {
  readonly control: HdlcControl;
  readonly information: Uint8Array;
  readonly segmented: boolean;
}

/** How an I frame stands to what was expected. */
export type Acceptance =
  | { readonly kind: 'repeated' }
  /** Frames before it were lost. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'segment' }
  /** The last segment; the place is from the first on. */
  | { readonly kind: 'apdu'; readonly apdu: Uint8Array; readonly place: FramePlace };

interface Segment {
  readonly information: Uint8Array;
  readonly segmented: boolean;
}

/**
 * One side of the numbered exchange of I frames (IEC 62056-46, 6.4.4.4; ISO/IEC 13239, 5.4): what
 * is sent is held until it is acknowledged, and sent again from the first that is not; what comes
 * is taken in order only.
 */
export class Exchange {
  readonly #parameters: HdlcParameters;
  readonly #sender: LlcSender;
  readonly #assembler = new SegmentAssembler(true);
  /** Unacknowledged, then unsent. */
  #segments: Segment[] = [];
  /** N(S) of the first of them. */
  #base = 0;
  /** How many of them were ever sent. */
  #outstanding = 0;
  #receive = 0;
  #unfinished = false;
  /** Where the APDU that is coming in began. */
  #apduOffset = 0;

  constructor(parameters: HdlcParameters, sender: LlcSender) {
    this.#parameters = parameters;
    this.#sender = sender;
  }

  /** V(R): the N(S) that is expected. */
  get receive(): number {
    return this.#receive;
  }

  /** V(S): the N(S) of what is sent next. */
  get send(): number {
    return (this.#base + this.#outstanding) % MODULUS;
  }

  /** Segments that wait to be sent or acknowledged. */
  get waiting(): number {
    return this.#segments.length;
  }

  /** An APDU has begun to come and is not whole. */
  get unfinished(): boolean {
    return this.#unfinished;
  }

  /** Errors: `too-long` for an APDU that no peer takes. */
  offer(apdu: Uint8Array): void {
    if (apdu.length > APDU_BYTES_MAX || this.#segments.length > SEGMENTS_MAX) {
      throw new OperatingError('too-long', `${apdu.length} bytes in an APDU`);
    }
    const parts = segmentsOf(apdu, this.#parameters.informationTransmit, this.#sender);
    for (const [index, information] of parts.entries()) {
      this.#segments.push({ information, segmented: index < parts.length - 1 });
    }
  }

  /** Takes N(R); `false` where it acknowledges what was never sent. */
  acknowledge(receive: number): boolean {
    const count = (receive - this.#base + MODULUS) % MODULUS;
    if (count > this.#outstanding) return false;
    this.#segments.splice(0, count);
    this.#outstanding -= count;
    this.#base = receive;
    return true;
  }

  /**
   * A window of I frames from the first that is not acknowledged; the last one has the poll or
   * final bit. Empty if nothing waits.
   */
  window(): readonly NumberedSegment[] {
    const count = Math.min(this.#segments.length, this.#parameters.windowTransmit);
    this.#outstanding = Math.max(this.#outstanding, count);
    return this.#segments.slice(0, count).map(({ information, segmented }, index) => {
      const send = (this.#base + index) % MODULUS;
      const poll = index === count - 1;
      return {
        control: { kind: 'I', send, receive: this.#receive, poll },
        information,
        segmented,
      };
    });
  }

  /** Takes an I frame. Errors: `too-long` for segments without end. */
  accept({ offset, length, frame }: PlacedFrame, send: number): Acceptance {
    const ahead = (send - this.#receive + MODULUS) % MODULUS;
    // With the window of 7 only the frame just before the expected one is surely a repetition.
    if (ahead > 0) return { kind: ahead < this.#parameters.windowReceive ? 'gap' : 'repeated' };
    this.#receive = (this.#receive + 1) % MODULUS;
    if (!this.#unfinished) this.#apduOffset = offset;
    const information = this.#assembler.push(frame);
    this.#unfinished = information === undefined;
    if (information === undefined) return { kind: 'segment' };
    const place = { offset: this.#apduOffset, length: offset + length - this.#apduOffset };
    return { kind: 'apdu', apdu: withoutLlc(information), place };
  }
}
