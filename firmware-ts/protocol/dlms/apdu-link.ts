import type { Connection, Step } from '../connection.ts';

/**
 * What carries whole APDUs between one client and one server: HDLC's data link, or the wrapper.
 * `start` begins to open it, `receive` takes bytes of any size, and every wait is a `deadline`, as
 * of any connection. Whoever uses it has at most one request under way (IEC 62056-5-3, 4.2).
 * A link that cannot go on says so with `stalled`; it can then be started again.
 */
export interface ApduLink extends Connection<ApduLinkMessage> {
  /**
   * Begins to send an APDU; segments, windows and repetitions are the link's own affair. Errors:
   * `too-long` when no negotiation lets the peer take it.
   */
  send(apdu: Uint8Array, at: number): Step<ApduLinkMessage>;
  /**
   * One more APDU is expected without a request: streamed blocks, an event. A peer that may speak
   * only when polled (HDLC) is polled until it has come. Absent where that is not needed.
   */
  poll?(at: number): Step<ApduLinkMessage>;
  /** Begins to take leave (DISC); `closed` follows, at once where the link knows no leave. */
  close(at: number): Step<ApduLinkMessage>;
}

export type ApduLinkMessage =
  /** The peer is there and APDUs can be sent. */
  | { readonly kind: 'opened' }
  | {
      readonly kind: 'apdu';
      readonly bytes: Uint8Array;
      /** A check of the framing has vouched for the bytes. */
      readonly integral: boolean;
    }
  | { readonly kind: 'closed' }
  | LineChange;

/**
 * The serial line is to change, once everything sent before is out; what is sent later goes at the
 * new rate. Lines that know no rate pass it over. A change is the last thing in its step.
 */
export interface LineChange {
  readonly kind: 'baud';
  /** Bits per second. */
  readonly rate: number;
  readonly format: '7E1' | '8N1';
}
