import { OperatingError } from '#bytes/failure.ts';
import { sameAddress } from './address.ts';
import type { HdlcFrame } from './frame.ts';

/** Most octets of an APDU that two peers can agree on (client-max-receive-pdu-size has 16 bits). */
export const APDU_BYTES_MAX = 0xffff;
const LLC_BYTES = 3;
/** Some meters send the LLC header twice. */
const GATHERED_BYTES_MAX = APDU_BYTES_MAX + 2 * LLC_BYTES;

/** Puts the information of segmented frames together again (IEC 62056-46, 6.4.4.3.6). */
export class SegmentAssembler {
  readonly #numbered: boolean;
  #first: HdlcFrame | undefined;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** `numbered`: sequence numbers were checked, so that a segment may begin like an LLC header. */
  constructor(numbered = false) {
    this.#numbered = numbered;
  }

  /** Bytes held for an unfinished information field. */
  get pending(): number {
    return this.#length;
  }

  /**
   * The whole information once the last segment is in. Errors: `segment-lost` when another frame
   * comes between, `too-long`; what was gathered is then forgotten, and the frame is not: it can be
   * pushed again.
   */
  push(frame: HdlcFrame): Uint8Array | undefined {
    if (this.#first !== undefined) this.#checkContinuation(this.#first, frame);
    if (this.#first === undefined && !frame.segmented) return frame.information;
    this.#first ??= frame;
    // Empty ones without end must cost no memory.
    if (frame.information.length > 0) this.#parts.push(frame.information);
    this.#length += frame.information.length;
    if (this.#length > GATHERED_BYTES_MAX) {
      this.clear();
      throw new OperatingError('too-long', `segments of more than ${GATHERED_BYTES_MAX} bytes`);
    }
    return frame.segmented ? undefined : this.#whole();
  }

  clear(): void {
    this.#first = undefined;
    this.#parts = [];
    this.#length = 0;
  }

  #checkContinuation(first: HdlcFrame, frame: HdlcFrame): void {
    const continues =
      sameAddress(first.destination, frame.destination) &&
      sameAddress(first.source, frame.source) &&
      (this.#numbered || !startsWithLlc(frame.information));
    if (continues) return;
    const lost = this.#length;
    this.clear();
    throw new OperatingError('segment-lost', `${lost} bytes of an APDU without its last segment`);
  }

  #whole(): Uint8Array {
    const information = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      information.set(part, offset);
      offset += part.length;
    }
    this.clear();
    return information;
  }
}

/** LLC header of a server's or a client's APDU (IEC 62056-46, 5.3.3). */
function startsWithLlc(bytes: Uint8Array): boolean {
  return bytes[0] === 0xe6 && (bytes[1] === 0xe7 || bytes[1] === 0xe6) && bytes[2] === 0x00;
}

/** Without the LLC header; some meters send it twice. */
export function withoutLlc(information: Uint8Array): Uint8Array {
  let bytes = information;
  while (startsWithLlc(bytes)) bytes = bytes.subarray(LLC_BYTES);
  return bytes;
}

/** Who sends: the LSAP of a command differs from that of a response (IEC 62056-46, 5.3.3). */
const LLC_OF = { client: [0xe6, 0xe6, 0x00], server: [0xe6, 0xe7, 0x00] } as const;
export type LlcSender = keyof typeof LLC_OF;

/** `apdu` with the LLC header of its sender, cut into segments of at most `most` bytes. */
export function segmentsOf(
  apdu: Uint8Array,
  most: number,
  sender: LlcSender = 'server',
): readonly Uint8Array[] {
  const information = new Uint8Array(apdu.length + LLC_BYTES);
  information.set(LLC_OF[sender]);
  information.set(apdu, LLC_BYTES);
  const segments: Uint8Array[] = [];
  for (let start = 0; start < information.length; start += most) {
    segments.push(information.subarray(start, start + most));
  }
  return segments;
}
