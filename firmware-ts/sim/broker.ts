import { Aedes } from 'aedes';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import { readFile } from 'node:fs/promises';

/** Paths of PEM files. */
export interface BrokerOptions {
  /** Whose clients are let in. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** 0 or absent: any free one. */
  readonly port?: number;
}

export interface Broker {
  readonly port: number;
  /** What clients publish, not what the broker says about itself; the result unsubscribes. */
  onPublish(received: (topic: string, payload: Uint8Array) => void): () => void;
  /** Drops every client and releases the port. */
  stop(): Promise<void>;
}

/**
 * A broker inside this process, on loopback, that lets in whoever has a certificate of the CA. It
 * speaks MQTT 3.1.1 and keeps everything in memory: for a first look and for tests.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<TLSSocket>();
  const server = createServer({
    ca: await readFile(options.ca),
    cert: await readFile(options.certificate),
    key: await readFile(options.key),
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: true,
    noDelay: true,
  });
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // a client that went away harms nobody
    aedes.handle(socket);
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    onPublish: (received) => subscribe(aedes, received),
    stop: () => stop(server, sockets, aedes),
  };
}

function subscribe(
  aedes: Aedes,
  received: (topic: string, payload: Uint8Array) => void,
): () => void {
  const listener = (packet: { topic: string; payload: string | Buffer }, client: unknown): void => {
    // Wills come without a client; the broker's own topics begin with $.
    if (client === null && packet.topic.startsWith('$')) return;
    const { payload } = packet;
    received(packet.topic, typeof payload === 'string' ? Buffer.from(payload) : payload);
  };
  aedes.on('publish', listener);
  return () => void aedes.off('publish', listener);
}

async function stop(server: Server, sockets: Set<TLSSocket>, aedes: Aedes): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
  await new Promise<void>((resolve) => aedes.close(resolve));
}
