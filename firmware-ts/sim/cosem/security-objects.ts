import type { SimulatedObject } from './object.ts';
import { object, unsigned32 } from './object.ts';
import type { ReceivedCounters } from './received-counters.ts';

/** The counter that a client has used last (IEC 62056-6-1, 0-b:43.1.e). */
export function counterObject(received: ReceivedCounters): SimulatedObject {
  return object(1, 0, { 2: () => unsigned32(Math.max(0, received.wanted - 1)) });
}
