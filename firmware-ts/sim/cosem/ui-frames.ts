import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged } from '#protocol/hdlc/framer.ts';
import { segmentsOf } from '#protocol/hdlc/segments.ts';

export interface UiFramesOptions {
  readonly destination: HdlcAddress;
  readonly source: HdlcAddress;
  /** Information bytes a frame; a longer APDU comes in segments. */
  readonly segmentBytes: number;
}

/** What nobody asked for, in UI frames: one segment a frame, each between flags of its own. */
export function uiFramesOf(
  apdu: Uint8Array,
  { destination, source, segmentBytes }: UiFramesOptions,
): readonly Uint8Array[] {
  const segments = segmentsOf(apdu, segmentBytes);
  return segments.map((information, index) => {
    const last = index === segments.length - 1;
    const control = { kind: 'UI', poll: last } as const;
    return flagged(
      encodeHdlcFrame({ segmented: !last, destination, source, control, information }),
    );
  });
}
