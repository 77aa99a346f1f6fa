import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';

/** What differs between a machine, a test and a simulation. */
export interface GatewayPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}
