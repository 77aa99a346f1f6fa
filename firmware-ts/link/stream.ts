import type { Failure } from '#bytes/failure.ts';
import type { SerialFormat } from './serial-format.ts';
import type { Link, LinkOwner } from './link.ts';
import type { Endpoint, EndpointOwner, LinkPorts } from './mending.ts';
import { mendingLink } from './mending.ts';

/** What carries one stream: a connection, a serial port, a peer of a UDP socket. */
export interface Carrier {
  /** Who is at the other end, for people. */
  readonly peer: string;
  send(bytes: Uint8Array): void;
  /** As of a stream. */
  setLine?(rate: number, format: SerialFormat): Promise<void>;
  /** Asks for its end; the carrier's owner then calls `ended` from the event loop. */
  end(): void;
}

/** A stream as its carrier sees it. */
export interface RunningStream {
  chunk(bytes: Uint8Array): void;
  /** Asked for by the link itself: the protocol is told of no failure. */
  end(): void;
  /** The carrier is gone; returns the reason to give for it. */
  ended(failure: Failure): Failure;
}

const GIVEN_UP: Failure = {
  code: 'given-up',
  message: 'the protocol ended this stream to begin anew',
};

/** Announces a stream to the owner; keeps apart an end that was asked for from a loss. */
export function beginStream(owner: LinkOwner, carrier: Carrier): RunningStream {
  let state: 'up' | 'ending' | 'ended' = 'up';
  const end = (): void => {
    if (state !== 'up') return;
    state = 'ending';
    carrier.end();
  };
  const setLine = carrier.setLine?.bind(carrier);
  const handler = owner.up({
    peer: carrier.peer,
    ...(setLine && { setLine }),
    send: (bytes) => {
      if (state === 'up') carrier.send(bytes);
    },
    reset: end,
  });
  return {
    chunk: (bytes) => {
      if (state === 'up') handler.chunk(bytes);
    },
    end,
    ended: (failure) => {
      const asked = state === 'ending';
      state = 'ended';
      if (asked) handler.down();
      else handler.down(failure);
      return asked ? GIVEN_UP : failure;
    },
  };
}

/** What a client's carrier tells while it is being opened and after. */
export interface CarrierOwner {
  opened(peer: string): void;
  chunk(bytes: Uint8Array): void;
  /** Exactly once, whether or not it had opened. */
  ended(failure: Failure): void;
}

type OpenCarrier = (owner: CarrierOwner) => Omit<Carrier, 'peer'>;

/** A link of one stream at a time. */
export function clientLink(openCarrier: OpenCarrier, ports: LinkPorts): Link {
  return mendingLink((owner, events) => beginClient(openCarrier, owner, events), ports);
}

function beginClient(openCarrier: OpenCarrier, owner: LinkOwner, events: EndpointOwner): Endpoint {
  let stream: RunningStream | undefined;
  const carrier = openCarrier({
    opened: (peer) => {
      events.opened();
      stream = beginStream(owner, {
        peer,
        send: (bytes) => carrier.send(bytes),
        end: () => carrier.end(),
        ...(carrier.setLine && { setLine: carrier.setLine.bind(carrier) }),
      });
    },
    chunk: (bytes) => {
      events.working();
      stream?.chunk(bytes);
    },
    ended: (failure) => {
      events.ended(stream?.ended(failure) ?? failure);
    },
  });
  return { end: () => (stream ?? carrier).end() };
}
