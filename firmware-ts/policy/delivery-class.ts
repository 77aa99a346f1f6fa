/**
 * How urgent it is to deliver something, most urgent first: a command's answer within 2 s, an
 * alarm within 10 s, a measurement within 5 minutes, bulk when nothing else waits
 * (decision 0006). What must be dropped is dropped from the end of this list.
 */
export const DELIVERY_CLASSES = ['command', 'alarm', 'measurement', 'bulk'] as const;

export type DeliveryClass = (typeof DELIVERY_CLASSES)[number];

/** Of these nothing is held back, neither for company, on disk or wire, nor for small changes. */
export function isUrgent(of: DeliveryClass): boolean {
  return of === 'command' || of === 'alarm';
}
