import type { ControlOptions, ControlServer } from '#control/server.ts';
import type { LinkPorts } from '#link/mending.ts';
import type { LinkOptions } from '#link/open.ts';
import type { Link } from '#link/link.ts';
import type { Store } from '#store/store.ts';
import type { StoreOptions } from '#store/open.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { Dial } from '#uplink/session.ts';

/** What differs between a machine, a test and a simulation; the machine's where it is not given. */
export interface GatewayPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly openStore?: (options: StoreOptions) => Promise<Store>;
  readonly openLink?: (options: LinkOptions, ports: LinkPorts) => Link;
  readonly dial?: Dial;
  readonly startControl?: (options: ControlOptions) => Promise<ControlServer>;
}
