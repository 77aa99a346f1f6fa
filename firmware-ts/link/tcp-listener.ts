import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { OperatingError } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Link, LinkOwner } from './link.ts';
import type { Endpoint, EndpointOwner, LinkPorts } from './mending.ts';
import { mendingLink } from './mending.ts';
import {
  LISTEN_ADDRESS,
  bareHost,
  endSocket,
  endpointText,
  sendBounded,
  socketFailure,
  tuneSocket,
  whenClosed,
} from './socket.ts';
import type { RunningStream } from './stream.ts';
import { beginStream } from './stream.ts';

export interface TcpListenerOptions {
  readonly kind: 'tcp-listen';
  /** `127.0.0.1` unless given. */
  readonly address?: string;
  /** 0 takes a free one; `listening` tells which. */
  readonly port: number;
  /** 16 unless given. */
  readonly peersMax?: number;
}

/** A data concentrator's worth of meters; each costs a socket and a protocol's buffers. */
const PEERS_MAX = 16;

/**
 * When all places are taken, a peer that was silent for so long gives its place up: ten of a P1
 * meter's slowest intervals. A meter that pushes more rarely connects anew when it has to.
 */
const PEER_SILENT_MS = 100_000;

interface Peer {
  readonly socket: Socket;
  heardMs: number;
}

/** A port to which devices connect by themselves. */
export function tcpListener(options: TcpListenerOptions, ports: LinkPorts): Link {
  return mendingLink((owner, events) => new Listener(options, ports.clock, owner, events), ports);
}

class Listener implements Endpoint {
  readonly #clock: Clock;
  readonly #owner: LinkOwner;
  readonly #events: EndpointOwner;
  readonly #place: string;
  readonly #peersMax: number;
  readonly #streams = new Map<RunningStream, Peer>();
  readonly #server: Server;
  #ending = false;

  constructor(options: TcpListenerOptions, clock: Clock, owner: LinkOwner, events: EndpointOwner) {
    const host = bareHost(options.address ?? LISTEN_ADDRESS);
    this.#clock = clock;
    this.#owner = owner;
    this.#events = events;
    this.#place = endpointText(host, options.port);
    this.#peersMax = options.peersMax ?? PEERS_MAX;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.on('error', (error) => this.#failed(error));
    this.#server.listen({ port: options.port, host }, () => this.#listening());
  }

  end(): void {
    this.#ending = true;
    // Before it listens there is nothing to close; `#listening` or `#failed` follows either way.
    if (this.#server.listening) this.#close();
  }

  #close(): void {
    this.#server.close(() => this.#events.ended({ code: 'stopped', message: this.#place }));
    for (const stream of this.#streams.keys()) stream.end();
  }

  #listening(): void {
    if (this.#ending) {
      this.#close();
      return;
    }
    this.#events.opened();
    this.#events.working();
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return;
    this.#owner.listening?.(bound.address, bound.port);
  }

  /** While it listens, an error concerns one peer that could not be accepted (EMFILE). */
  #failed(error: Error): void {
    const failure = socketFailure(error, this.#place);
    if (this.#server.listening) this.#owner.refused?.(this.#place, failure);
    else this.#events.ended(failure);
  }

  #accept(socket: Socket): void {
    const peer = endpointText(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
    if (this.#streams.size >= this.#peersMax && !this.#displaceSilent()) {
      socket.destroy();
      this.#owner.refused?.(peer, {
        code: 'too-many-peers',
        message: `${peer}: ${this.#peersMax} peers are connected and talking`,
        hint: 'raise peersMax of this link, or find out who the others are',
      });
      return;
    }
    this.#begin(socket, peer);
  }

  /** Frees the place of the peer that was silent longest, if that was long. */
  #displaceSilent(): boolean {
    const [longest] = [...this.#streams].sort(([, a], [, b]) => a.heardMs - b.heardMs);
    if (longest === undefined) return false;
    const [stream, { socket, heardMs }] = longest;
    const silentMs = this.#clock.monotonic() - heardMs;
    if (silentMs < PEER_SILENT_MS) return false;
    this.#streams.delete(stream);
    const silent = `silent for ${Math.round(silentMs / 1000)} s, longest of ${this.#peersMax}`;
    const hint = 'raise peersMax of this link, or find out who the others are';
    socket.destroy(new OperatingError('displaced', silent, { hint }));
    return true;
  }

  #begin(socket: Socket, peer: string): void {
    tuneSocket(socket);
    const stream = beginStream(this.#owner, {
      peer,
      send: (bytes) => sendBounded(socket, bytes),
      end: () => endSocket(socket, this.#clock),
    });
    const place = { socket, heardMs: this.#clock.monotonic() };
    this.#streams.set(stream, place);
    socket.on('data', (bytes: Uint8Array) => {
      place.heardMs = this.#clock.monotonic();
      stream.chunk(bytes);
    });
    whenClosed(socket, peer, (failure) => {
      this.#streams.delete(stream);
      stream.ended(failure);
    });
  }
}
