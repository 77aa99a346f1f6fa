import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import type { ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { machineCiphers } from '#system/ciphers.ts';
import { machineClock } from '#system/clock.ts';
import type { FrameCounter } from './frame-counter.ts';
import { counted } from './frame-counter.ts';
import type { SimulatedAssociation } from './secured-server.ts';
import { securedServer } from './secured-server.ts';

export const PUBLIC_CLIENT = 16;
export const OUR_CLIENT = 1;
export const SERVER_TITLE = fromHex('4e524d0000000002');
export const KEYS = {
  encryption: fromHex('000102030405060708090a0b0c0d0e0f'),
  authentication: fromHex('d0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
};

export interface SecuredMeter {
  readonly port: number;
  /** Of our client's key. */
  readonly counter: FrameCounter;
  /** Connections, by client, in their order. */
  readonly callers: number[];
}

export interface SecuredMeterOptions {
  readonly association: SimulatedAssociation;
  readonly suite?: 0 | 1 | 2;
  readonly counter?: Partial<FrameCounter>;
  readonly objects?: ServerObjects;
  readonly keys?: typeof KEYS;
}

/** A meter on TCP that the public client and ours may ask, each in its own way. */
export async function securedMeter(
  context: TestContext,
  options: SecuredMeterOptions,
): Promise<SecuredMeter> {
  const counter: FrameCounter = { last: 0, taken: [], tells: true, ...options.counter };
  const callers: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      const client = new DataView(Uint8Array.from(first).buffer).getUint16(2);
      callers.push(client);
      serve(socket, serverOf(client, options, counter), first);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, counter, callers };
}

function serve(socket: Socket, server: DlmsServer, first: Uint8Array): void {
  const receive = (bytes: Uint8Array): void => {
    for (const answer of server.receive(bytes, 0).send) socket.write(answer);
  };
  server.start(0);
  receive(first);
  socket.on('data', receive);
}

function serverOf(
  client: number,
  { association, suite = 0, keys = KEYS, objects = OBJECTS }: SecuredMeterOptions,
  counter: FrameCounter,
): DlmsServer {
  const link = wrapperServerLink({ client, server: 1 });
  const served = withFrameCounter(objects, counter);
  if (client === PUBLIC_CLIENT) {
    return new DlmsServer({ link, objects: served, mechanismName: MECHANISM.lowest });
  }
  const security = { suite, keys, serverTitle: SERVER_TITLE, ciphers: machineCiphers };
  const { preEstablishedFor } = association;
  return new DlmsServer({
    ...securedServer(association, security),
    link: counted(link, counter),
    objects: served,
    ...(preEstablishedFor === undefined ? {} : { preEstablished: PRE_ESTABLISHED }),
  });
}

const PRE_ESTABLISHED = {
  conformance: new Set(['get', 'set', 'action'] as const),
  clientMaxReceivePduSize: 0,
  proofDue: false,
};

const OBJECTS = new CosemObjects({ clock: machineClock, deviceName: 'NRM1', profileRows: 60 });

/** The objects, and the frame counter, which every client may read. */
function withFrameCounter(objects: ServerObjects, counter: FrameCounter): ServerObjects {
  return {
    get: (attribute) =>
      obisText(attribute.instanceId) === '0-0:43.1.0*255'
        ? { data: { type: 'double-long-unsigned', value: counter.last } }
        : objects.get(attribute),
    set: (item) => objects.set(item),
    act: (item) => objects.act(item),
  };
}

/** A keyring's text for this meter, with other fields where they are given. */
export function keyringText(
  name: string,
  fields: Readonly<Record<string, string | number>>,
): string {
  const lines = Object.entries(fields).map(([field, value]) =>
    typeof value === 'number' ? `  ${field}: ${value}` : `  ${field}: '${value}'`,
  );
  return [`${name}:`, ...lines, ''].join('\n');
}
