import type { Compression } from '#contract/envelope.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { Events } from './events.ts';
import type { Manifests } from './manifests.ts';
import type { Budget } from './pacing.ts';
import type { PayloadFormat } from './packet.ts';
import type { Quarantine } from './quarantine.ts';
import type { HangUps } from './quarantine-rule.ts';
import type { Session } from './session.ts';
import type { Tallying } from './tally.ts';
import type { Topics } from './topics.ts';
import type { TrafficMeter } from './traffic-meter.ts';

/** What one uplink keeps from session to session. */
export interface Lasting {
  readonly backend: string;
  readonly gateway: string;
  readonly topics: Topics;
  /** Of payloads; absent where they go as they are. */
  readonly format: PayloadFormat;
  readonly compression?: Compression;
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** What was delivered in an earlier session is not sent again. */
  readonly acknowledger: Acknowledger;
  readonly tally: Tallying;
  readonly traffic: TrafficMeter;
  /** What a metered link may carry. */
  readonly budget: Budget;
  readonly manifests: Manifests;
  readonly events: Events;
  readonly quarantine: Quarantine;
  /** What earlier sessions ended over. */
  readonly hangUps: HangUps;
}

export interface DeliveryParts extends Lasting {
  readonly session: Session;
  /** Largest packet to make of several entries, where the broker takes larger ones. */
  readonly packBytesMax: number;
  /** The link is closed to all that is not urgent. */
  readonly urgentOnly: boolean;
  /** What is new waits so long for more of its kind; what is urgent does not. */
  readonly batchMs: number;
  /** What was there before the session waits so long, unless it is urgent. */
  readonly backlogDelayMs: number;
  /** Called when nothing waits any more, with how long something did. */
  readonly drained: (behindMs: number) => void;
}

/** How far a delivery is: `stopping` sends nothing new, `over` has no session any more. */
export interface Stage {
  readonly stopping: boolean;
  readonly over: boolean;
}
