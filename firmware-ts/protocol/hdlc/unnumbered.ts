import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { SegmentAssembler, withoutLlc } from './segments.ts';
import type { PlacedFrame } from './frame.ts';

/** What a UI frame brought, with the place from its first segment on. */
export interface UnnumberedResult {
  readonly offset: number;
  readonly length: number;
  readonly apdu?: Uint8Array;
  readonly failure?: Failure;
}

/** APDUs in UI frames, which come unasked, in segments, and are never acknowledged. */
export class UnnumberedInformation {
  readonly #assembler = new SegmentAssembler();
  #offset = 0;

  clear(): void {
    this.#assembler.clear();
  }

  /** First what is lost with it, if segments before it are; then the APDU, once it is whole. */
  take(placed: PlacedFrame): readonly UnnumberedResult[] {
    const { offset, length, frame } = placed;
    const continued = this.#assembler.pending > 0;
    if (!continued) this.#offset = offset;
    const place = { offset: this.#offset, length: offset + length - this.#offset };
    try {
      const information = this.#assembler.push(frame);
      return information === undefined ? [] : [{ ...place, apdu: withoutLlc(information) }];
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      const lost = { ...place, failure: failureOf(error) };
      return continued ? [lost, ...this.take(placed)] : [lost];
    }
  }
}
