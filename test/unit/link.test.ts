import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { Backoff } from '#link/backoff.ts';
import type { Link } from '#link/link.ts';
import { type LinkOptions, openLink } from '#link/open.ts';
import { socketFailure } from '#link/socket.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock } from '#system/clock.ts';
import { RecordingOwner } from '../support/link-owner.ts';
import { seeded } from '../support/seeded.ts';
import { VECTORS, withoutVectors } from '../support/vectors.ts';

interface Opened {
  readonly link: Link;
  readonly owner: RecordingOwner;
  readonly clock: VirtualClock;
}

/** Opens a link under a virtual clock, and closes it with the test. */
function opened(t: TestContext, options: LinkOptions): Opened {
  const clock = new VirtualClock();
  const owner = new RecordingOwner(() => clock.monotonic());
  const link = openLink(options, { clock, entropy: seeded(7) });
  link.open(owner);
  t.after(() => link.close());
  return { link, owner, clock };
}

async function listen(t: TestContext, port = 0, host = '127.0.0.1'): Promise<Server> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function accepted(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  return socket;
}

async function textFrom(socket: Socket): Promise<string> {
  let text = '';
  for await (const bytes of socket) text += latin1FromBytes(bytes as Uint8Array);
  return text;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

test('the wait doubles to its cap, lies in the upper half, and begins anew after a success', () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(20), (seed, failures) => {
      const backoff = new Backoff(seeded(seed), { firstMs: 1000, capMs: 60_000 });
      for (let count = 0; count < failures; count += 1) {
        const ceiling = Math.min(1000 * 2 ** count, 60_000);
        const wait = backoff.next();
        assert.ok(wait >= ceiling / 2 && wait < ceiling, `${wait} of ${ceiling}`);
      }
      backoff.reset();
      assert.ok(backoff.next() < 1000);
    }),
  );
});

test('a client finds a late server, and after a loss waits as at first', async (t) => {
  const early = await listen(t);
  const port = portOf(early);
  await closed(early);
  const { owner, clock } = opened(t, { kind: 'tcp', host: '127.0.0.1', port });
  for (const ceilingMs of [1000, 2000, 4000]) {
    const { failure, retryMs } = await owner.next('waiting');
    assert.equal(failure.code, 'connection-refused');
    assert.ok(failure.hint);
    assert.ok(retryMs >= ceilingMs / 2 && retryMs < ceilingMs);
    if (ceilingMs < 4000) clock.advance(retryMs);
  }
  const server = await listen(t, port);
  clock.advance(4000);
  const socket = await accepted(server);
  const { stream } = await owner.next('up');
  assert.equal(stream.peer, `127.0.0.1:${port}`);
  socket.write('hello');
  await owner.until(() => owner.received().length === 5);
  socket.destroy();
  assert.equal((await owner.next('down')).failure?.code, 'connection-closed');
  const again = await owner.next('waiting');
  assert.ok(again.retryMs < 1000, 'the counter was reset by the success');
  clock.advance(again.retryMs);
  await accepted(server);
  await owner.next('up');
});

test('a client that gets no answer to its connect gives up and tries again', async (t) => {
  const server = await listen(t);
  const { owner, clock } = opened(t, { kind: 'tcp', host: '127.0.0.1', port: portOf(server) });
  clock.advance(10_000); // before the event loop could bring the answer
  const { failure, retryMs } = await owner.next('waiting');
  assert.equal(failure.code, 'timed-out');
  clock.advance(retryMs);
  await owner.next('up');
});

test('errors of the operating system become words that name the peer and the next step', () => {
  for (const [errno, code] of [
    ['ENOTFOUND', 'name-not-resolved'],
    ['EAI_AGAIN', 'name-not-resolved'],
    ['EHOSTUNREACH', 'unreachable'],
    ['ECONNRESET', 'connection-reset'],
    ['EADDRNOTAVAIL', 'no-such-address'],
    ['EACCES', 'permission-denied'],
    ['EXOTIC', 'link-failed'],
  ] as const) {
    const error = Object.assign(new Error(errno), { code: errno });
    const failure = socketFailure(error, 'meter:4059');
    assert.equal(failure.code, code);
    assert.ok(failure.hint !== undefined && failure.message.includes('meter:4059'));
  }
});

test('a farewell still goes out when the link is closed right after it', async (t) => {
  const server = await listen(t);
  const { link, owner } = opened(t, { kind: 'tcp', host: '127.0.0.1', port: portOf(server) });
  const text = accepted(server).then(textFrom);
  const { stream } = await owner.next('up');
  stream.send(bytesFromLatin1('a'));
  stream.send(bytesFromLatin1('b'));
  await link.close();
  stream.send(bytesFromLatin1('too late'));
  assert.equal(await text, 'ab');
  assert.equal((await owner.next('down')).failure, undefined);
  assert.equal(owner.of('waiting').length, 0);
});

test('a stream that its protocol gave up ends without a failure', async (t) => {
  const server = await listen(t);
  const { owner, clock } = opened(t, { kind: 'tcp', host: '127.0.0.1', port: portOf(server) });
  const socket = await accepted(server);
  const { stream } = await owner.next('up');
  stream.reset();
  assert.equal(owner.of('down').length, 0, 'never from inside a method called by the owner');
  assert.equal(await textFrom(socket), '');
  assert.equal((await owner.next('down')).failure, undefined);
  const { failure, retryMs } = await owner.next('waiting');
  assert.equal(failure.code, 'given-up');
  clock.advance(retryMs);
  await owner.next('up');
});

test('a peer that does not read ends its stream instead of filling the memory', async (t) => {
  const server = await listen(t);
  const { owner } = opened(t, { kind: 'tcp', host: '127.0.0.1', port: portOf(server) });
  (await accepted(server)).pause();
  const { stream } = await owner.next('up');
  for (let count = 0; count < 40; count += 1) stream.send(new Uint8Array(1 << 19));
  assert.equal((await owner.next('down')).failure?.code, 'send-buffer-full');
});

const loopback = Object.values(networkInterfaces()).flat();
const withoutIpv6 = loopback.some((one) => one?.address === '::1')
  ? false
  : 'this machine has no IPv6 loopback';

test('an IPv6 host may stand in brackets', { skip: withoutIpv6 }, async (t) => {
  const { owner: server } = opened(t, { kind: 'tcp-listen', address: '[::1]', port: 0 });
  const { port } = await server.next('listening');
  const { owner } = opened(t, { kind: 'tcp', host: '[::1]', port });
  assert.equal((await owner.next('up')).stream.peer, `[::1]:${port}`);
  const { stream } = await server.next('up');
  assert.match(stream.peer, /^\[::1\]:\d+$/);
  stream.send(bytesFromLatin1('x'));
  await owner.next('chunk');
});

test('a listener serves peers apart, up to its limit and again below it', async (t) => {
  const { link, owner } = opened(t, { kind: 'tcp-listen', port: 0, peersMax: 2 });
  const { address, port } = await owner.next('listening');
  assert.equal(address, '127.0.0.1');
  const sockets: Socket[] = [];
  for (const text of ['one', 'two']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(text);
    sockets.push(socket);
    const { peer } = (await owner.next('up')).stream;
    await owner.until(() => owner.received(peer).length === 3);
    assert.equal(latin1FromBytes(owner.received(peer)), text);
  }
  const third = connect(port, '127.0.0.1');
  third.on('error', () => third.destroy());
  assert.equal((await owner.next('refused')).failure.code, 'too-many-peers');
  await once(third, 'close');
  sockets[0]?.end();
  assert.equal((await owner.next('down')).failure?.code, 'connection-closed');
  const fourth = connect(port, '127.0.0.1');
  await owner.next('up');
  const ends = [sockets[1], fourth].map(async (socket) => socket && textFrom(socket));
  await link.close();
  await Promise.all(ends);
  assert.equal((await owner.next('down')).failure, undefined);
});

test('a full listener gives the place of its longest silent peer to a new one', async (t) => {
  const { owner, clock } = opened(t, { kind: 'tcp-listen', port: 0, peersMax: 2 });
  const { port } = await owner.next('listening');
  const join = async (): Promise<{ socket: Socket; peer: string }> => {
    const socket = connect(port, '127.0.0.1').on('error', () => socket.destroy());
    t.after(() => socket.destroy());
    return { socket, peer: (await owner.next('up')).stream.peer };
  };
  const [first, second] = [await join(), await join()];
  clock.advance(99_000);
  first.socket.write('still here');
  await owner.next('chunk');
  const early = connect(port, '127.0.0.1').on('error', () => early.destroy());
  assert.equal((await owner.next('refused')).failure.code, 'too-many-peers');
  clock.advance(1000);
  const third = await join();
  const { peer, failure } = await owner.next('down');
  assert.deepEqual([peer, failure?.code], [second.peer, 'displaced']);
  third.socket.write('x');
  await owner.until(() => owner.received(third.peer).length === 1);
  const fourth = connect(port, '127.0.0.1').on('error', () => fourth.destroy());
  await owner.next('refused');
  assert.equal(owner.of('down').length, 1, 'both that are left have spoken lately');
});

test('a listener whose port is taken waits for it', async (t) => {
  const server = await listen(t);
  const port = portOf(server);
  const { owner, clock } = opened(t, { kind: 'tcp-listen', port });
  const { failure, retryMs } = await owner.next('waiting');
  assert.equal(failure.code, 'address-in-use');
  await closed(server);
  clock.advance(retryMs);
  assert.equal((await owner.next('listening')).port, port);
});

test('a link that is closed before it has opened is closed', async () => {
  const ports = { clock: new VirtualClock(), entropy: seeded(1) };
  for (const kind of ['tcp-listen', 'udp'] as const) {
    const owner = new RecordingOwner();
    const link = openLink({ kind, port: 0 }, ports);
    link.open(owner);
    await link.close();
    assert.deepEqual(owner.told, []);
  }
  const never = openLink({ kind: 'udp', port: 0 }, ports);
  await never.close();
});

test('each remote address is a stream of a UDP link, and gets its own answers', async (t) => {
  const { link, owner } = opened(t, { kind: 'udp', port: 0, peersMax: 2 });
  const { port } = await owner.next('listening');
  const senders = [1, 2, 3].map(() => createSocket('udp4'));
  t.after(() => senders.forEach((sender) => sender.close()));
  const [first, second, third] = senders;
  assert.ok(first && second && third);
  const say = (text: string, from: typeof first): void => from.send(text, port, '127.0.0.1');
  say('1', first);
  const one = (await owner.next('up')).stream;
  say('2', second);
  const two = (await owner.next('up')).stream;
  const answer = once(first, 'message');
  one.send(bytesFromLatin1('to one'));
  assert.equal(String((await answer)[0]), 'to one');
  say('1 again', first);
  await owner.until(() => owner.of('chunk').length === 3);
  say('3', third);
  await owner.next('up');
  const { peer, failure } = await owner.next('down');
  assert.deepEqual([peer, failure?.code], [two.peer, 'displaced'], 'the one silent longest');
  one.reset();
  assert.deepEqual(await owner.next('down'), { kind: 'down', peer: one.peer, failure: undefined });
  const farewell = once(third, 'message');
  owner.of('up')[2]?.stream.send(bytesFromLatin1('bye'));
  await link.close();
  assert.equal(String((await farewell)[0]), 'bye');
});

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'normd-link-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

test('a replay gives what the device sent at its original times, and then ends', async (t) => {
  const file = join(await folder(t), 'session.json');
  const frames = [
    { t: 328, dir: 'tx', hex: '00' },
    { t: 335, dir: 'rx', hex: '0102' },
    { t: 340, dir: 'tx', hex: '00' },
    { t: 1335, dir: 'rx', hex: '03' },
    { t: 61_335, dir: 'rx', hex: '04' },
  ];
  await writeFile(file, JSON.stringify({ frames }));
  const { owner, clock } = opened(t, { kind: 'replay', file, pace: 'original' });
  await owner.next('up');
  await clock.run(120_000);
  await owner.next('ended');
  assert.deepEqual(
    owner.of('chunk').map(({ bytes, at }) => [...bytes, at]),
    [
      [1, 2, 0],
      [3, 1000],
      [4, 61_000],
    ],
  );
  assert.equal((await owner.next('down')).failure, undefined);
  assert.equal(owner.told.at(-1)?.kind, 'ended');
});

test('raw bytes are replayed whole and in order, as fast as they are taken', async (t) => {
  const file = join(await folder(t), 'raw.bin');
  const bytes = Uint8Array.from({ length: 100_001 }, (_, index) => index % 251);
  await writeFile(file, bytes);
  const { owner } = opened(t, { kind: 'replay', file, pace: 'fast' });
  await owner.next('ended');
  assert.ok(Buffer.from(bytes).equals(owner.received()));
});

test('a replay can be stopped in the middle', async (t) => {
  const file = join(await folder(t), 'raw.bin');
  await writeFile(file, new Uint8Array(100_000));
  const { link, owner } = opened(t, { kind: 'replay', file, pace: 'fast' });
  await owner.next('chunk');
  await link.close();
  const told = owner.told.length;
  assert.equal(owner.told.at(-1)?.kind, 'down');
  await new Promise(setImmediate);
  assert.equal(owner.told.length, told);
});

test('a capture that is missing or not understood is reported and tried again', async (t) => {
  const path = await folder(t);
  const cases = [
    ['missing.pcap', undefined, 'missing-file'],
    ['broken.json', '{"frames": [', 'bad-vector'],
    ['other.json', '{"name": "normd"}', 'bad-vector'],
    ['frames.json', '{"frames": [{"t": "soon", "hex": ""}]}', 'bad-vector'],
    ['hex.json', '{"hex": "0g"}', 'bad-hex'],
    ['empty.bin', '', 'empty-capture'],
  ] as const;
  for (const [name, content, code] of cases) {
    const file = join(path, name);
    if (content !== undefined) await writeFile(file, content);
    const { owner, clock } = opened(t, { kind: 'replay', file, pace: 'fast' });
    const { failure, retryMs } = await owner.next('waiting');
    assert.equal(failure.code, code, name);
    await writeFile(file, '{"hex": "2f"}');
    clock.advance(retryMs);
    await owner.next('ended');
    assert.deepEqual([...owner.received()], [0x2f]);
  }
});

test('a PMU capture is replayed at its own pace', { skip: withoutVectors }, async (t) => {
  const file = join(VECTORS, 'c37118/captures/C37.118_1PMU_TCP.pcap');
  const { owner, clock } = opened(t, { kind: 'replay', file, pace: 'original', port: 4712 });
  await owner.next('up');
  while (owner.of('ended').length === 0) await clock.run(60_000);
  const chunks = owner.of('chunk');
  assert.equal(owner.received()[0], 0xaa);
  assert.ok(chunks.length > 100);
  const times = chunks.map(({ at }) => at);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

test('on the machine clock, too, a replay keeps its order and ends', async (t) => {
  const file = join(await folder(t), 'session.json');
  const frames = [1, 2, 3].map((count) => ({ t: count * 5, hex: `0${count}` }));
  await writeFile(file, JSON.stringify({ frames }));
  const owner = new RecordingOwner(() => machineClock.monotonic());
  const link = openLink(
    { kind: 'replay', file, pace: 'original' },
    { clock: machineClock, entropy: seeded(3) },
  );
  link.open(owner);
  await owner.next('ended');
  await link.close();
  assert.deepEqual([...owner.received()], [1, 2, 3]);
});
