import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Step } from '#protocol/connection.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import type { DlmsServerMessage } from '#protocol/dlms/server/server.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import type { ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import type { Clock } from '#system/clock.ts';

export interface CosemMeterOptions {
  readonly clock: Clock;
  readonly objects: ServerObjects;
  /** A data link for each connection. */
  readonly link: () => ApduLink;
  /** 0 is any free port; only this machine is served. */
  readonly port: number;
  /** Without it, whoever asks is served. */
  readonly password?: Uint8Array;
}

export interface CosemMeter {
  readonly port: number;
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 16;

/** A simulated meter that is asked over TCP: the server's side of DLMS/COSEM on real sockets. */
export async function startCosemMeter(options: CosemMeterOptions): Promise<CosemMeter> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, options);
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(socket: Socket, { clock, objects, link, password }: CosemMeterOptions): void {
  const secured = password === undefined ? {} : { secret: password };
  const mechanismName = password === undefined ? MECHANISM.lowest : MECHANISM.low;
  const server = new DlmsServer({ link: link(), objects, mechanismName, ...secured });
  let cancel: (() => void) | undefined;
  const perform = ({ send }: Step<DlmsServerMessage>): void => {
    for (const bytes of send) socket.write(bytes);
    cancel?.();
    const delayMs = server.deadline - clock.monotonic();
    cancel = Number.isFinite(delayMs)
      ? clock.after(Math.max(0, delayMs), () => perform(server.expire(clock.monotonic())))
      : undefined;
  };
  socket.setNoDelay(true);
  perform(server.start(clock.monotonic()));
  socket.on('data', (bytes) => perform(server.receive(bytes, clock.monotonic())));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => cancel?.());
}
