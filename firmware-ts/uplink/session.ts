import type { Failure } from '#bytes/failure.ts';

/**
 * One life of a connection to a broker, from its welcome to its loss. A session is never mended:
 * after a loss a new one is dialled, which starts at the oldest unacknowledged entry.
 */
export interface Session {
  readonly protocol: '5' | '3.1.1';
  /** Messages that may wait for their acknowledgement at once (MQTT 5, 3.2.2.3.3). */
  readonly receiveMaximum: number;
  /** Largest packet in bytes that the broker takes (MQTT 5, 3.2.2.3.6); `Infinity` if unsaid. */
  readonly packetBytesMax: number;
  /**
   * Sends at QoS 1; messages leave in the order of the calls. `done` is called when the broker has
   * spoken: with nothing if it has the message. It is never called once the session is lost.
   */
  publish(message: Message, done: (refusal?: Failure) => void): void;
  /**
   * Asks for the one topic that a session may listen to; `done` is called as that of `publish`. A
   * broker that refuses may be asked again.
   */
  subscribe(subscription: Subscription, done: (refusal?: Failure) => void): void;
  /** Settles when the session is over, with the reason; never rejects. */
  readonly lost: Promise<Failure>;
  /** Bytes on the wire so far. */
  readonly traffic: () => Traffic;
  /** Takes leave, so that the broker does not publish the will. */
  close(): Promise<void>;
  /** Ends the connection at once; the broker publishes the will. */
  abort(failure: Failure): void;
}

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  readonly retain?: true;
}

/** Opens a session. Rejects with an OperatingError: code and hint say what to look at. */
export type Dial = (dialing: Dialing) => Promise<Session>;

export interface Dialing {
  readonly target: Target;
  readonly clientId: string;
  /** What the broker publishes when it loses us. */
  readonly will: Message;
  /** Required when `target.secure`. */
  readonly credentials?: TlsCredentials;
  /**
   * Gives up the attempt, which rejects with `stopped` or with what it waited for in vain; a
   * session that has begun is not touched.
   */
  readonly signal: AbortSignal;
}

export interface Subscription {
  readonly topic: string;
  /** A message of at most 64 KiB; the next is read when this returns. */
  readonly received: (payload: Uint8Array) => void;
}

export interface Traffic {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface TlsCredentials {
  readonly key: string;
  readonly certificate: string;
  readonly anchors: readonly string[];
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}
