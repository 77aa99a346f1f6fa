import type { Failure } from '#bytes/failure.ts';
import type { CredentialFiles } from '#identity/credentials.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import type { Log } from '#system/log.ts';
import type { Dial } from './session.ts';
import type { Tally } from './tally.ts';

/** Where one back-end's outbox goes. */
export interface UplinkOptions {
  /** The back-end's name in the store. */
  readonly backend: string;
  /** The gateway's name; also the MQTT client identifier. */
  readonly gateway: string;
  /** `mqtts://HOST:PORT`; `mqtt://` for loopback only. */
  readonly url: string;
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

export interface Uplink {
  status(): UplinkStatus;
  /** Calls `changed` after each change of `state`; the result unsubscribes. */
  onState(changed: (status: UplinkStatus) => void): () => void;
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
}

export type UplinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online'; readonly protocol: '5' | '3.1.1' }
  | { readonly kind: 'waiting'; readonly failure: Failure; readonly retryMs: number }
  | { readonly kind: 'stopped' };
