/** image_transfer_status, counted from 0 (IEC 62056-6-2, 4.4.6). */
export const IMAGE_STATUSES = [
  'not-initiated',
  'initiated',
  'verification-initiated',
  'verification-successful',
  'verification-failed',
  'activation-initiated',
  'activation-successful',
  'activation-failed',
] as const;

export type ImageStatus = (typeof IMAGE_STATUSES)[number];
