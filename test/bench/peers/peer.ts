/** Messages of 190 octets, a stamp in each where `stamped`. */
export interface Feed {
  readonly count: number;
  /** As fast as they are taken unless given. */
  readonly perSecond?: number;
  readonly stamped: boolean;
}

export const MESSAGE_BYTES = 190;
/** To a topic that a receiver counts as a delivery. */
export const TOPIC = 'nd/1/bench/up/meter0';

/** What stands between sources and an upstream broker. */
export interface Peer {
  readonly name: string;
  /** `false`, or why it is not there. */
  readonly absent: string | false;
  /** A fresh one whose upstream is `mqtt://127.0.0.1:PORT`; its folder goes with the bench. */
  open(upstreamPort: number): Promise<Place>;
}

/** Where a peer keeps what it keeps; it may be started there again and again. */
export interface Place {
  start(): Promise<Running>;
}

export interface Running {
  /** Settles when all is taken, by whatever the peer says that with. */
  feed(feed: Feed): Promise<void>;
  residentMiB(): number;
  writtenBytes(): number;
  cpuSeconds(): number;
  kill(): Promise<void>;
}
