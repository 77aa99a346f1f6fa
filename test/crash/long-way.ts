import { type Server, type Socket, connect, createServer } from 'node:net';
import { once } from 'node:events';

/** A way to a TCP port: what is on it when its sender dies never arrives. */
export interface LongWay {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Each chunk travels for `delayMs`. On loopback alone a killed process loses nothing that it has
 * written: the kernel hands it over, and a sender that deletes too early would go unnoticed.
 */
export async function startLongWay(to: number, delayMs: number): Promise<LongWay> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on(
        'data',
        (chunk) => void setTimeout(() => into.destroyed || into.write(chunk), delayMs),
      );
      from.on('error', () => from.destroy()); // 'close' follows
      from.on('close', () => {
        sockets.delete(from);
        into.destroy();
      });
      from.on('end', () => from.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : NaN,
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
