import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Clock } from '#system/clock.ts';
import { machineClock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import { machineEntropy } from '#system/entropy.ts';
import { Direction } from './way-direction.ts';
import type { Weather } from './weather.ts';

export interface WayOptions {
  /** A TCP port on 127.0.0.1. */
  readonly to: number;
  readonly clock?: Clock;
  /** One seed gives the same losses and jitter for the same segments. */
  readonly entropy?: Pick<Entropy, 'fraction'>;
}

/** A bad way to a TCP port: slow, lossy, narrow, half open or cut, as netem does it, but to TCP. */
export interface Way {
  readonly port: number;
  /** Connections since it was made. */
  readonly connections: number;
  /** Octets that have come to its far end. */
  readonly carriedBytes: number;
  /** From now on, in both directions unless they differ; what is on its way keeps its time. */
  weather(up: Weather, down?: Weather): void;
  /** Whether it leads anywhere; while it does not, who comes is reset. */
  open: boolean;
  /** Ends every connection at both ends, with what is on it: in order, or by a reset. */
  cut(how?: 'end' | 'reset'): void;
  stop(): Promise<void>;
}

/** Leads to `to`, without delay until the weather changes. */
export async function startWay(options: WayOptions): Promise<Way> {
  const way = new OpenWay(options);
  await way.listen();
  return way;
}

interface Connection {
  readonly sockets: readonly [near: Socket, far: Socket];
  readonly directions: readonly Direction[];
}

class OpenWay implements Way {
  open = true;
  connections = 0;
  carriedBytes = 0;
  readonly #options: WayOptions;
  readonly #server: Server;
  readonly #standing = new Set<Connection>();
  #up: Weather = {};
  #down: Weather = {};

  constructor(options: WayOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#come(near));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  weather(up: Weather, down = up): void {
    [this.#up, this.#down] = [up, down];
    for (const { directions } of this.#standing) directions.forEach((one) => one.pump());
  }

  cut(how: 'end' | 'reset' = 'reset'): void {
    for (const { sockets, directions } of this.#standing) {
      for (const direction of directions) direction.end();
      for (const socket of sockets) {
        if (how === 'end') socket.destroySoon();
        else socket.resetAndDestroy();
      }
    }
    this.#standing.clear();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #come(near: Socket): void {
    this.connections += 1;
    if (!this.open) {
      near.resetAndDestroy();
      return;
    }
    const { to, clock = machineClock, entropy = machineEntropy } = this.#options;
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
    const up = {
      weather: () => this.#up,
      arrived: (bytes: number): void => void (this.carriedBytes += bytes),
    };
    const down = { weather: () => this.#down, arrived: () => undefined };
    const directions = [
      new Direction({ from: near, into: far, clock, entropy, ...up }),
      new Direction({ from: far, into: near, clock, entropy, ...down }),
    ];
    const connection: Connection = { sockets: [near, far], directions };
    this.#standing.add(connection);
    for (const socket of connection.sockets) {
      socket.setNoDelay(true);
      socket.on('close', () => {
        if (near.destroyed && far.destroyed) this.#standing.delete(connection);
      });
    }
  }
}
