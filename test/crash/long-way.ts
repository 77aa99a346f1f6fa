import { type Server, type Socket, connect, createServer } from 'node:net';
import { once } from 'node:events';

/** A way to a TCP port: what is on it when its sender dies never arrives. */
export interface LongWay {
  readonly port: number;
  /** Octets that have come to its far end. */
  readonly carriedBytes: number;
  stop(): Promise<void>;
}

/**
 * Each chunk travels for `delayMs`. On loopback alone a killed process loses nothing that it has
 * written: the kernel hands it over, and a sender that deletes too early would go unnoticed. There
 * it carries so many octets a second, and what comes faster waits; back it is as wide as may be.
 */
export async function startLongWay(
  to: number,
  delayMs: number,
  bytesPerSecond = Infinity,
): Promise<LongWay> {
  const sockets = new Set<Socket>();
  let carriedBytes = 0;
  const server: Server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    const there = carrier(delayMs, bytesPerSecond, (chunk) => {
      carriedBytes += chunk.length;
      if (!far.destroyed) far.write(chunk);
    });
    const back = carrier(delayMs, Infinity, (chunk) => {
      if (!near.destroyed) near.write(chunk);
    });
    for (const [from, into, carry] of [
      [near, far, there],
      [far, near, back],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', carry);
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
    get carriedBytes() {
      return carriedBytes;
    },
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Hands on what it is given, in order: once it has gone into the way, and `delayMs` later. */
function carrier(
  delayMs: number,
  bytesPerSecond: number,
  arrive: (chunk: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  const travelling: { readonly atMs: number; readonly chunk: Uint8Array }[] = [];
  let freeAtMs = 0;
  const later = (): void => {
    const [next] = travelling;
    if (next !== undefined) setTimeout(handOn, Math.max(0, next.atMs - performance.now()));
  };
  const handOn = (): void => {
    const now = performance.now();
    while (travelling[0] !== undefined && travelling[0].atMs <= now) {
      arrive(travelling[0].chunk);
      travelling.shift();
    }
    later();
  };
  return (chunk) => {
    freeAtMs = Math.max(freeAtMs, performance.now()) + (chunk.length * 1000) / bytesPerSecond;
    travelling.push({ atMs: freeAtMs + delayMs, chunk });
    if (travelling.length === 1) later();
  };
}
