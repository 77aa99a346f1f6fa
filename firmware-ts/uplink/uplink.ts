import type { Failure } from '#bytes/failure.ts';
import type { EventFields, EventName } from '#contract/event.ts';
import type { CredentialFiles } from '#identity/credentials.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { ScheduleOptions } from '#system/schedule.ts';
import type { PayloadFormat } from './packet.ts';
import type { ReceiptsTally } from './receipts.ts';
import type { Dial } from './session.ts';
import type { EventsTally } from './events.ts';
import type { Tally } from './tally.ts';
import type { TrafficTally } from './traffic-meter.ts';

export type CompressionKind = 'none' | 'zstd';

/** Where one back-end's outbox goes. */
export interface UplinkOptions {
  /** The back-end's name in the store. */
  readonly backend: string;
  /** The gateway's name; also the MQTT client identifier. */
  readonly gateway: string;
  /** `mqtts://HOST:PORT`; `mqtt://` for loopback only. */
  readonly url: string;
  /** Further brokers: the heaviest that is well is used; that of `url` weighs 100. */
  readonly brokers?: readonly { readonly url: string; readonly weight: number }[];
  /** What a metered link may carry in the long run, both ways together; connecting is apart. */
  readonly bytesPerSecond?: number;
  /** What is new and not urgent waits so long for more, to travel together; not unless given. */
  readonly batchMs?: number;
  /** Of payloads: `senml+cbor` unless given. JSON cannot be proven by the manifest's chain. */
  readonly format?: PayloadFormat;
  /** Of payloads, where it makes them shorter; `none` unless given. */
  readonly compression?: CompressionKind;
  /** What the broker has is kept until the back-end says on `rc` that it has it. */
  readonly receipts?: boolean;
  /** When a metered link may be used; always unless given. */
  readonly connect?: ScheduleOptions;
  /** The first dial waits so long, unless something urgent is due; not unless given. */
  readonly firstDialMs?: number;
  /** Required with `mqtts://`; read anew for each connection. */
  readonly credentials?: CredentialFiles;
  /** Version of this software, for the presence. */
  readonly software: string;
}

export interface UplinkPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** MQTT over sockets unless given. */
  readonly dial?: Dial;
}

export type Tell = <Name extends EventName>(event: Name, fields: EventFields[Name]) => void;

export interface Uplink {
  status(): UplinkStatus;
  /** Calls `changed` after each change of `state`; the result unsubscribes. */
  onState(changed: (status: UplinkStatus) => void): () => void;
  /** Tells the back-end, as soon as there is a session; in memory until the broker has it. */
  readonly tell: Tell;
  /**
   * Sends nothing new, waits a bounded time for what is in flight, says goodbye. What is not
   * acknowledged by then stays due. Never rejects.
   */
  stop(): Promise<void>;
}

export interface UplinkStatus extends Tally {
  readonly state: UplinkState;
  /** Of the last failed or lost connection; it stays after the next success. */
  readonly lastFailure?: Failure;
  /** Streams that the broker refuses at present; they are tried again, the others go on. */
  readonly refusedStreams: Readonly<Record<string, Failure>>;
  readonly traffic: TrafficTally;
  readonly events: EventsTally;
  /** Present where receipts are awaited. */
  readonly receipts?: ReceiptsTally;
  /** How much may be and is in flight; absent without a session. */
  readonly window?: WindowStatus;
  /** The classes, urgent first; none without a session. */
  readonly lanes: readonly LaneStatus[];
}

export interface LaneStatus {
  readonly class: DeliveryClass;
  /** Whether something waits to be sent; what is new goes as a copy then. */
  readonly behind: boolean;
  /** In flight, copies apart. */
  readonly messages: number;
}

export interface WindowStatus {
  readonly messagesMax: number;
  readonly messages: number;
}

export type UplinkState =
  | { readonly kind: 'connecting'; readonly broker?: string }
  | { readonly kind: 'online'; readonly protocol: '5' | '3.1.1'; readonly broker: string }
  /** Nothing goes for so long, because of this: a failure, or the schedule. */
  | { readonly kind: 'waiting'; readonly failure: Failure; readonly retryMs: number }
  | { readonly kind: 'stopped' };
