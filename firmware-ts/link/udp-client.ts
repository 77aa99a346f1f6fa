import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import type { Link } from './link.ts';
import type { LinkPorts } from './mending.ts';
import { bareHost, endpointText, sendBufferFull, socketFailure } from './socket.ts';
import type { Carrier, CarrierOwner } from './stream.ts';
import { clientLink } from './stream.ts';

export interface UdpClientOptions {
  readonly kind: 'udp-client';
  /** A name, an IPv4 or an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** Requests that the network does not take; a meter is asked one thing at a time. */
const SEND_QUEUE_BYTES_MAX = 256 << 10;

/** Datagrams to and from one device; nobody else is heard. */
export function udpClient(options: UdpClientOptions, ports: LinkPorts): Link {
  return clientLink((owner) => new UdpCarrier(options, owner), ports);
}

class UdpCarrier implements Omit<Carrier, 'peer'> {
  readonly #owner: CarrierOwner;
  readonly #peer: string;
  #socket: Socket | undefined;
  #state: 'opening' | 'open' | 'ended' = 'opening';
  #failure = new Error('closed on request');

  constructor({ host, port }: UdpClientOptions, owner: CarrierOwner) {
    this.#owner = owner;
    this.#peer = endpointText(host, port);
    lookup(bareHost(host), (error, address, family) => {
      if (this.#state === 'ended') return;
      if (error === null) this.#connect(address, family, port);
      else this.#fail(error);
    });
  }

  send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (this.#state !== 'open' || socket === undefined) return;
    const queued = socket.getSendQueueSize();
    if (queued + bytes.length > SEND_QUEUE_BYTES_MAX) {
      setImmediate(() => this.#fail(sendBufferFull(queued)));
      return;
    }
    socket.send(bytes, (error) => {
      if (error !== null) this.#fail(error);
    });
  }

  /** What was sent has left by the next turn. */
  end(): void {
    setImmediate(() => this.#end());
  }

  /** A socket that is connected hears one peer alone, and is told that nobody listens there. */
  #connect(address: string, family: number, port: number): void {
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.on('error', (error) => this.#fail(error));
    socket.on('message', (bytes) => {
      if (this.#state === 'open') this.#owner.chunk(bytes);
    });
    socket.connect(port, address, () => {
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      this.#owner.opened(this.#peer);
    });
  }

  #fail(error: Error): void {
    if (this.#state !== 'ended') this.#failure = error;
    this.#end();
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#socket?.close();
    this.#owner.ended(socketFailure(this.#failure, this.#peer));
  }
}
