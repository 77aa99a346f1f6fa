/**
 * How urgent it is to deliver something, most urgent first: a command's answer within 2 s, an
 * alarm within 10 s, a measurement within 5 minutes, bulk when nothing else waits
 * (decision 0006). What must be dropped is dropped from the end of this list.
 */
export const DELIVERY_CLASSES = ['command', 'alarm', 'measurement', 'bulk'] as const;

export type DeliveryClass = (typeof DELIVERY_CLASSES)[number];

/**
 * What goes at once: it has places of its own in flight, waits neither for a budget nor for company
 * on disk or wire, and no deadband holds it back.
 */
export function isUrgent(of: DeliveryClass): boolean {
  return of === 'command' || of === 'alarm';
}

/** What `valueOf` says of each class. */
export function byClass<Value>(
  valueOf: (of: DeliveryClass) => Value,
): Readonly<Record<DeliveryClass, Value>> {
  return {
    command: valueOf('command'),
    alarm: valueOf('alarm'),
    measurement: valueOf('measurement'),
    bulk: valueOf('bulk'),
  };
}

/** From the commit to the broker's answer, in milliseconds, by class (decision 0006). */
export const DEADLINES_MS: Readonly<Record<DeliveryClass, number>> = {
  command: 2000,
  alarm: 10_000,
  measurement: 300_000,
  bulk: Infinity,
};
