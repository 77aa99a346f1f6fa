import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import type { DevelopmentCa } from '#identity/development-ca.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import type { Uplink } from '#uplink/uplink.ts';
import { owe, temporaryCa, temporaryFolder, temporaryStore } from '../support/outbox.ts';
import { startScriptedBroker, welcome5, type Arrival } from '../support/scripted-broker.ts';
import { open, range, scene, sequencesIn, urlOf } from '../support/uplink.ts';
import { VirtualUplink } from '../support/virtual-uplink.ts';

interface Station {
  readonly port: number;
  readonly arrivals: Arrival[];
  /** What its presence topic was told, in order. */
  readonly states: string[];
  welcomes: number;
  up: boolean;
}

/** A broker that is up or down; down, it refuses each client and hangs up on each message. */
async function station(context: TestContext, changed: () => void): Promise<Station> {
  const broker = await startScriptedBroker({
    welcome: () => {
      state.welcomes += Number(state.up);
      return Uint8Array.of(0x20, 3, 0, state.up ? 0 : 0x88, 0);
    },
    answer(arrival) {
      if (!state.up) return 'hang-up';
      const isState = arrival.topic.endsWith('/st');
      if (isState) state.states.push(stateIn(arrival));
      else state.arrivals.push(arrival);
      changed();
      return 0;
    },
  });
  context.after(() => broker.stop());
  const state: Station = { port: broker.port, arrivals: [], states: [], welcomes: 0, up: true };
  return state;
}

function stateIn({ payload }: Arrival): string {
  return (JSON.parse(Buffer.from(payload).toString()) as { state: string }).state;
}

/** Waits for something that messages bring about; `changed` is to be called with each. */
function watcher(): {
  readonly changed: () => void;
  readonly until: (enough: () => boolean) => Promise<void>;
} {
  const waiting = new Set<() => void>();
  return {
    changed: () => waiting.forEach((look) => look()),
    until: (enough) =>
      new Promise((resolve) => {
        const look = (): void => (enough() ? resolve() : undefined);
        waiting.add(look);
        look();
      }),
  };
}

interface Life {
  readonly clock: VirtualClock;
  readonly uplink: Uplink;
  /** Nothing comes from the sockets: only time ends a dial. */
  silent?: boolean;
}

/**
 * Turns the clock by `stepMs` again and again until `enough`; no more than `limitMs` in all. While
 * the sockets have something to say, they get their time, and the clock stands still.
 */
async function turned(
  life: Life,
  stepMs: number,
  enough: () => boolean,
  limitMs = Infinity, // for tests that are about how long it takes; the others end by the runner's
): Promise<void> {
  const { clock, uplink } = life;
  for (let passedMs = 0; !enough();) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const { state, window } = uplink.status();
    if (state.kind === 'connecting' && life.silent !== true) continue;
    if ((window?.messages ?? 0) > 0) continue;
    assert.ok(passedMs <= limitMs, `still not after ${passedMs} ms`);
    await clock.run(stepMs);
    passedMs += stepMs;
  }
}

test('another broker takes over within five minutes, and hands back later', async (context) => {
  const { changed, until } = watcher();
  const [main, spare] = [await station(context, changed), await station(context, changed)];
  const store = await temporaryStore(context);
  const clock = new VirtualClock();
  const brokers = [{ url: urlOf(spare), weight: 1 }];
  const uplink = open(context, store, { url: urlOf(main), brokers }, clock);
  const life = { clock, uplink };
  await owe(store, 'p1', 0, 10);
  await until(() => sequencesIn(main.arrivals, 'p1').includes(9));
  assert.equal(spare.arrivals.length, 0);

  main.up = false;
  await owe(store, 'p1', 10, 10);
  const online = (broker: Station): boolean => {
    const { state } = uplink.status();
    return state.kind === 'online' && state.broker === urlOf(broker);
  };
  await turned(life, 1000, () => online(spare), 300_000);
  await until(() => sequencesIn(spare.arrivals, 'p1').includes(19));
  const { state } = uplink.status();
  const failed = uplink.status().lastFailure;
  assert.ok(state.kind === 'online' && state.broker === urlOf(spare));
  assert.match(failed?.code ?? '', /^connection-(closed|reset)$/);

  // It looks for the better one beside the session, and takes leave only when it has found it.
  await turned(life, 10_000, () => uplink.status().lastFailure !== failed);
  // The turned clock may end the dial before the socket does.
  assert.match(uplink.status().lastFailure?.code ?? '', /^broker-(unavailable|silent)$/);
  assert.deepEqual([uplink.status().state.kind, spare.states], ['online', ['online']]);
  main.up = true;
  await turned(life, 1000, () => main.welcomes === 2, 300_000);
  await until(() => main.states.length === 2); // taking leave needs no turning of the clock
  await owe(store, 'p1', 20, 10);
  await until(() => sequencesIn(main.arrivals, 'p1').includes(29));
  assert.deepEqual(spare.states, ['online', 'offline']);
  await uplink.stop();
  assert.deepEqual(
    [...new Set([...sequencesIn(main.arrivals, 'p1'), ...sequencesIn(spare.arrivals, 'p1')])].sort(
      (a, b) => a - b,
    ),
    range(30),
  );
  assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
});

test('a metered link is used in its windows only, and says how long it waits', async (context) => {
  const { changed } = watcher();
  const broker = await station(context, changed);
  const store = await temporaryStore(context);
  const clock = new VirtualClock({ second: Date.parse('2026-11-21T01:00:00Z') / 1000 });
  await owe(store, 'p1', 0, 5);
  const connect = { cron: '0 3 * * *', minutes: 10, timeZone: 'UTC' };
  const uplink = open(context, store, { url: urlOf(broker), connect }, clock);
  const life = { clock, uplink };
  const { state } = await uplink.reached((status) => status.state.kind === 'waiting');
  assert.ok(state.kind === 'waiting');
  assert.equal(state.failure.code, 'outside-schedule');
  assert.ok(state.failure.message.includes('2026-11-21T03:00:00'));
  assert.equal(state.retryMs, 2 * 3_600_000);
  await clock.run(2 * 3_600_000 - 1000);
  assert.equal(uplink.status().traffic.bytesWritten, 0, 'not a byte before the window');

  await clock.run(1000);
  await turned(life, 1, () => {
    const { readingsAcknowledged, window } = uplink.status();
    const told = broker.arrivals.some(({ topic }) => topic.endsWith('/mf'));
    return readingsAcknowledged === 10 && told && window?.messages === 0;
  });
  await clock.run(10 * 60_000);
  await uplink.reached((status) => status.state.kind === 'waiting');
  assert.deepEqual(broker.states, ['online', 'offline']);
  assert.equal(uplink.status().lastFailure, undefined, 'the end of a window is no failure');

  await owe(store, 'p1', 5, 5);
  const next = Date.parse('2026-11-22T03:00:00Z') / 1000;
  await clock.run((next - clock.wall().second - 1) * 1000);
  assert.equal(sequencesIn(broker.arrivals, 'p1').length, 5);
  await turned(life, 100, () => sequencesIn(broker.arrivals, 'p1').length === 10);
  const delayS = clock.wall().second - next;
  assert.ok(delayS >= 0 && delayS <= 660, `${delayS} s after the window's begin`);
});

test('a cap on bytes holds over an hour, and is used up by a backlog', async (context) => {
  const bytesPerSecond = 50;
  const directory = join(temporaryFolder(context), 'state');
  const world = new VirtualUplink({ directory, uplink: { bytesPerSecond } });
  context.after(() => world.kill());
  await world.start((store) => owe(store, 'p1', 0, 6000));
  await world.clock.run(3_600_000);
  const { bytesWritten, bytesRead, bytesToday } = world.uplink.status().traffic;
  assert.equal(bytesToday, bytesWritten + bytesRead);
  const cap = 3600 * bytesPerSecond;
  assert.ok(bytesToday < cap + 4096 + 32_768 && bytesToday > 0.8 * cap, `${bytesToday} of ${cap}`);
  const count = world.sequences('p1').length;
  assert.ok(count > 0 && count < 6000, `${count} came`);
});

/** Ports to which a portal may hand a connection on. */
interface Behind {
  readonly broker: number;
  /** TLS by the broker's certificate that never says a word, and TLS by the portal's own. */
  readonly mute: number;
  readonly own: number;
}

/** What stands between a gateway and its broker: the bytes of whoever answers, and its end. */
const PORTALS: Readonly<
  Record<
    string,
    {
      readonly codes: readonly string[];
      readonly meet: (socket: Socket, behind: Behind) => void;
      readonly secure?: true;
    }
  >
> = {
  'a page of a captive portal': {
    codes: ['protocol-violation', 'connection-closed', 'broker-flood'],
    meet: (socket) => socket.end('HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n'),
  },
  'an end without a word': {
    codes: ['connection-closed', 'connection-reset'],
    meet: (socket) => socket.end(),
  },
  'a reset': {
    codes: ['connection-closed', 'connection-reset'],
    meet: (socket) => socket.resetAndDestroy(),
  },
  silence: { codes: ['broker-silent'], meet: () => undefined },
  'silence inside TLS': {
    codes: ['broker-silent'],
    meet: (socket, { mute }) => relay(socket, mute),
    secure: true,
  },
  'a page where TLS was asked for': {
    codes: ['not-tls'],
    meet: (socket) => socket.end('HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n'),
    secure: true,
  },
  'TLS by a certificate of its own': {
    codes: ['broker-untrusted'],
    meet: (socket, { own }) => relay(socket, own),
    secure: true,
  },
  'endless noise': {
    codes: ['broker-flood', 'protocol-violation'],
    meet: (socket) => {
      const noise = Buffer.alloc(65_536, 0xff);
      const more = (): void => {
        while (!socket.destroyed && socket.write(noise));
      };
      socket.on('drain', more);
      more();
    },
  },
  'a welcome that never ends': {
    codes: ['broker-silent', 'broker-flood', 'protocol-violation'],
    meet: (socket) => socket.write(Uint8Array.of(0x20, 0xff, 0x7f, 0)),
  },
  'a message before the welcome': {
    codes: ['protocol-violation', 'connection-closed'],
    meet: (socket) => socket.end(Uint8Array.of(0x40, 2, 0, 1)),
  },
};

type Options = Parameters<typeof open>[2];

/** A server that hands each connection to `connected`; all of them end with the test. */
async function listening(
  context: TestContext,
  server: Server,
  connected: (socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    connected(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** TLS of `ca`, as its brokers have it. */
async function tlsOf(ca: DevelopmentCa): Promise<TlsServer> {
  const { certificate, key } = await ca.broker(['127.0.0.1']);
  const words = { ca: readFileSync(ca.anchor), requestCert: true };
  return createTlsServer({ ...words, cert: readFileSync(certificate), key: readFileSync(key) });
}

/** What is behind a portal, and how an uplink finds it. */
async function behind(
  context: TestContext,
  broker: number,
  secure: boolean,
): Promise<{ readonly ports: Behind; readonly options: (port: number) => Options }> {
  if (!secure) {
    return {
      ports: { broker, mute: NaN, own: NaN },
      options: (port) => ({ url: urlOf({ port }) }),
    };
  }
  const [ca, foreign] = [await temporaryCa(context), await temporaryCa(context)];
  const mute = (): void => undefined;
  const onward = (socket: Socket): void => relay(socket, broker);
  const credentials = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  return {
    ports: {
      broker: await listening(context, await tlsOf(ca), onward),
      mute: await listening(context, await tlsOf(ca), mute),
      own: await listening(context, await tlsOf(foreign), mute),
    },
    options: (port) => ({ url: `mqtts://127.0.0.1:${port}`, credentials }),
  };
}

test('a cap counts what TLS and the broker add to small messages', async (context) => {
  const bytesPerSecond = 50;
  const takes400 = (): Uint8Array => welcome5(0x27, 0, 0, 1, 0x90); // bytes a packet
  const { store, broker } = await scene(context, () => 0, takes400);
  const { ports, options } = await behind(context, broker.port, true);
  const clock = new VirtualClock({ second: Math.ceil(Date.now() / 1000) }); // of the certificates
  await owe(store, 'p1', 0, 3000);
  const uplink = open(context, store, { ...options(ports.broker), bytesPerSecond }, clock);
  await uplink.reached(({ state }) => state.kind === 'online');
  const begun = uplink.status().traffic;
  const life = { clock, uplink };
  await turned(life, 10_000, () => clock.monotonic() >= 3_600_000);
  const { bytesWritten, bytesRead } = uplink.status().traffic;
  const sent = bytesWritten + bytesRead - begun.bytesWritten - begun.bytesRead;
  const cap = 3600 * bytesPerSecond;
  assert.ok(sent < cap + 4096 + 1024 && sent > 0.8 * cap, `${sent} of ${cap}`);
});

for (const [name, { codes, meet, secure }] of Object.entries(PORTALS)) {
  test(`${name} instead of a broker is named, survived and got over`, async (context) => {
    const { store, broker, arrivals, until } = await scene(context, () => 0);
    let hostile = true;
    const { ports, options } = await behind(context, broker.port, secure === true);
    const port = await listening(context, createServer(), (socket) => {
      if (hostile) meet(socket, ports);
      else relay(socket, ports.broker);
    });
    const clock = new VirtualClock({ second: Math.ceil(Date.now() / 1000) }); // of the certificates
    await owe(store, 'p1', 0, 3);
    const uplink = open(context, store, options(port), clock);
    const life: Life = { clock, uplink, silent: codes.includes('broker-silent') };
    let seen = 0;
    uplink.onState(({ state }) => (seen += Number(state.kind === 'waiting')));
    await turned(life, 1000, () => seen > 0);
    const code = uplink.status().lastFailure?.code ?? '';
    assert.ok(codes.includes(code), code);
    await turned(life, 1000, () => seen > 2);
    hostile = life.silent = false;
    await turned(life, 1000, () => arrivals.length > 0);
    await until(() => sequencesIn(arrivals, 'p1').length === 3);
    await uplink.stop();
    assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
  });
}

function relay(socket: Socket, port: number): void {
  const onward = connect(port, '127.0.0.1');
  onward.on('error', () => onward.destroy());
  socket.on('close', () => onward.destroy());
  socket.pipe(onward).pipe(socket);
}
