/** Why a frame was rejected (FRMR; ISO/IEC 13239, 5.5.3.4.2), as bits of the last octet. */
export const REJECTION_REASONS = {
  'control-undefined': 0x01,
  'information-not-permitted': 0x02,
  'information-too-long': 0x04,
  'receive-number-invalid': 0x08,
} as const;

export type RejectionReason = keyof typeof REJECTION_REASONS;

export interface FrameRejection {
  /** Control field of the frame that was rejected. */
  readonly control: number;
  /** State variables of whoever rejects. */
  readonly send: number;
  readonly receive: number;
  /** A response was rejected, not a command. */
  readonly response: boolean;
  readonly reasons: readonly RejectionReason[];
}

/** The information field of FRMR in modulo 8. */
export function encodeRejection(rejection: FrameRejection): Uint8Array {
  const { control, send, receive, response, reasons } = rejection;
  const state = (receive << 5) | (response ? 0x10 : 0) | (send << 1);
  const bits = reasons.reduce((sum, reason) => sum | REJECTION_REASONS[reason], 0);
  return Uint8Array.of(control, state, bits);
}

/** `undefined` where it is not said: some devices send FRMR without its information. */
export function decodeRejection(information: Uint8Array): FrameRejection | undefined {
  const [control, state, bits] = information;
  if (control === undefined || state === undefined || bits === undefined) return undefined;
  const names = Object.keys(REJECTION_REASONS) as RejectionReason[];
  return {
    control,
    send: (state >>> 1) & 7,
    receive: state >>> 5,
    response: (state & 0x10) !== 0,
    reasons: names.filter((name) => (bits & REJECTION_REASONS[name]) !== 0),
  };
}

/** For people: what the peer says against which frame. */
export function textOfRejection(rejection: FrameRejection | undefined): string {
  if (rejection === undefined) return 'the peer rejects a frame and does not say why';
  const { control, reasons } = rejection;
  const why = reasons.length === 0 ? 'no reason given' : reasons.join(', ').replaceAll('-', ' ');
  return `the peer rejects the frame with control 0x${control.toString(16)}: ${why}`;
}
