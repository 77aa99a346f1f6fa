import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import type { Link, LinkOwner } from './link.ts';
import type { Endpoint, EndpointOwner, LinkPorts } from './mending.ts';
import { mendingLink } from './mending.ts';
import { LISTEN_ADDRESS, bareHost, endpointText, sendBufferFull, socketFailure } from './socket.ts';
import type { RunningStream } from './stream.ts';
import { beginStream } from './stream.ts';

export interface UdpOptions {
  readonly kind: 'udp';
  /** Own address, `127.0.0.1` unless given. */
  readonly address?: string;
  /** Own port; 0 takes a free one, `listening` tells which. */
  readonly port: number;
  /** 64 unless given. */
  readonly peersMax?: number;
}

/** UDP senders never say goodbye: beyond this the one that was silent longest is forgotten. */
const PEERS_MAX = 64;

/** Datagrams that the network does not take; a protocol's requests are far smaller. */
const SEND_QUEUE_BYTES_MAX = 256 << 10;

/** A port to which devices send datagrams: a stream for each remote address and port. */
export function udp(options: UdpOptions, ports: LinkPorts): Link {
  return mendingLink((owner, events) => new UdpSocket(options, owner, events), ports);
}

class UdpSocket implements Endpoint {
  readonly #owner: LinkOwner;
  readonly #events: EndpointOwner;
  readonly #socket: Socket;
  readonly #place: string;
  readonly #peersMax: number;
  /** The peer heard last comes last. */
  readonly #streams = new Map<string, RunningStream>();
  #state: 'binding' | 'bound' | 'ending' = 'binding';
  #closing = false;
  #failure: Error = new Error('closed on request');

  constructor(options: UdpOptions, owner: LinkOwner, events: EndpointOwner) {
    const address = bareHost(options.address ?? LISTEN_ADDRESS);
    this.#owner = owner;
    this.#events = events;
    this.#place = endpointText(address, options.port);
    this.#peersMax = options.peersMax ?? PEERS_MAX;
    this.#socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('error', (error) => {
      this.#failure = error;
      this.#close();
    });
    this.#socket.once('close', () => this.#closed());
    this.#socket.on('message', (bytes, remote) => this.#receive(bytes, remote));
    this.#socket.bind({ address, port: options.port }, () => this.#bound());
  }

  end(): void {
    for (const stream of this.#streams.values()) stream.end();
    // Before it is bound there is nothing to close; `#bound` or an error follows either way.
    if (this.#state === 'binding') this.#state = 'ending';
    // A farewell leaves only after its address was looked up, which takes a turn.
    else setImmediate(() => this.#close());
  }

  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.close();
  }

  #bound(): void {
    if (this.#state === 'ending') {
      this.#close();
      return;
    }
    this.#state = 'bound';
    this.#events.opened();
    this.#events.working();
    const { address, port } = this.#socket.address();
    this.#owner.listening?.(address, port);
  }

  #closed(): void {
    const failure = socketFailure(this.#failure, this.#place);
    for (const stream of this.#streams.values()) stream.ended(failure);
    this.#streams.clear();
    this.#events.ended(failure);
  }

  #receive(bytes: Uint8Array, remote: RemoteInfo): void {
    const peer = endpointText(remote.address, remote.port);
    const stream = this.#streams.get(peer) ?? this.#begin(peer, remote);
    this.#streams.delete(peer);
    this.#streams.set(peer, stream);
    if (this.#streams.size > this.#peersMax) this.#forgetOldest();
    stream.chunk(bytes);
  }

  #begin(peer: string, remote: RemoteInfo): RunningStream {
    const stream = beginStream(this.#owner, {
      peer,
      send: (bytes) => this.#send(peer, remote, bytes),
      // `down` comes from the event loop, as for the streams that a socket of their own carries.
      end: () => setImmediate(() => this.#lose(peer, stream, new Error('ended on request'))),
    });
    return stream;
  }

  #send(peer: string, remote: RemoteInfo, bytes: Uint8Array): void {
    const lose = (error: Error): void => {
      const stream = this.#streams.get(peer);
      if (stream !== undefined) this.#lose(peer, stream, error);
    };
    const queued = this.#socket.getSendQueueSize();
    if (queued + bytes.length > SEND_QUEUE_BYTES_MAX) {
      setImmediate(() => lose(sendBufferFull(queued)));
      return;
    }
    this.#socket.send(bytes, remote.port, remote.address, (error) => {
      if (error !== null) lose(error);
    });
  }

  #lose(peer: string, stream: RunningStream, error: Error): void {
    if (this.#streams.get(peer) !== stream) return;
    this.#streams.delete(peer);
    stream.ended(socketFailure(error, peer));
  }

  #forgetOldest(): void {
    for (const [peer, stream] of this.#streams) {
      this.#streams.delete(peer);
      stream.ended({
        code: 'displaced',
        message: `${peer} was silent longest of more than ${this.#peersMax} peers`,
        hint: 'raise peersMax of this link, or find out who the others are',
      });
      return;
    }
  }
}
