import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type TestContext, test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { openLink } from '#link/open.ts';
import { readPort } from '#link/port-binding.ts';
import { type SerialFormat, parseSerialFormat } from '#link/serial-format.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { RecordingOwner } from '../support/link-owner.ts';
import { seeded } from '../support/seeded.ts';

const withoutSocat =
  spawnSync('socat', ['-V']).status === 0 ? false : 'socat is missing: no pseudo-terminal pair';

/** Two pseudo-terminals back to back, as a cable between two serial ports. */
async function plug(t: TestContext, here: string, there: string): Promise<ChildProcess> {
  const ends = [here, there].map((link) => `pty,raw,echo=0,link=${link}`);
  const cable = spawn('socat', ['-d', '-d', ...ends], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => unplug(cable));
  let said = '';
  for await (const bytes of cable.stderr) {
    said += String(bytes);
    if (said.includes('starting data transfer')) break;
  }
  return cable;
}

async function unplug(cable: ChildProcess): Promise<void> {
  if (cable.exitCode !== null || cable.signalCode !== null) return;
  cable.kill();
  await once(cable, 'exit');
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'normd-serial-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

function opened(t: TestContext, path: string, format: SerialFormat = '8N1') {
  const clock = new VirtualClock();
  const owner = new RecordingOwner(() => clock.monotonic());
  const options = { kind: 'serial', path, baud: 9600, format } as const;
  const link = openLink(options, { clock, entropy: seeded(5) });
  link.open(owner);
  t.after(() => link.close());
  return { link, owner, clock };
}

test('bytes cross a serial line both ways', { skip: withoutSocat }, async (t) => {
  const path = await folder(t);
  const [here, there] = [join(path, 'gateway'), join(path, 'meter')];
  await plug(t, here, there);
  const gateway = opened(t, here, '7E1');
  const meter = opened(t, there);
  const { stream } = await gateway.owner.next('up');
  assert.equal(stream.peer, here);
  const answering = (await meter.owner.next('up')).stream;
  stream.send(bytesFromLatin1('/?!\r\n'));
  await meter.owner.until(() => meter.owner.received().length === 5);
  answering.send(bytesFromLatin1('/NOR5normd\r\n'));
  await gateway.owner.until(() => gateway.owner.received().length === 12);
  assert.equal(latin1FromBytes(gateway.owner.received()), '/NOR5normd\r\n');
  stream.send(bytesFromLatin1('bye'));
  await gateway.link.close();
  await meter.owner.until(() => meter.owner.received().length === 8);
  assert.equal((await gateway.owner.next('down')).failure, undefined);
});

test(
  'an adapter that vanishes and comes back is opened anew',
  { skip: withoutSocat },
  async (t) => {
    const path = await folder(t);
    const [here, there] = [join(path, 'gateway'), join(path, 'meter')];
    const { owner, clock } = opened(t, here);
    const missing = await owner.next('waiting');
    assert.equal(missing.failure.code, 'no-such-port');
    const cable = await plug(t, here, there);
    clock.advance(missing.retryMs);
    await owner.next('up');
    await unplug(cable);
    assert.equal((await owner.next('down')).failure?.code, 'port-vanished');
    const { retryMs } = await owner.next('waiting');
    await plug(t, here, there);
    clock.advance(retryMs);
    const { stream } = await owner.next('up');
    const meter = opened(t, there);
    await meter.owner.next('up');
    stream.send(bytesFromLatin1('again'));
    await meter.owner.until(() => meter.owner.received().length === 5);
  },
);

test('a read of nothing is a device that hung up, and is not asked again for ever', async (t) => {
  const ended = await open('/dev/null', 'r'); // what a terminal is after a hang-up: read(2) gives 0
  t.after(() => ended.close());
  const poller = { once: () => assert.fail('waits for a port that is gone') };
  const reading = readPort({ fd: ended.fd, poller }, Buffer.alloc(16), 0, 16);
  await assert.rejects(reading, /hung up/);
});

test('a port that has nothing yet is waited for, unless it is closed', async (t) => {
  const path = join(await folder(t), 'fifo');
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const both = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => both.close());
  const told = new EventEmitter();
  const port = { fd: both.fd as number | null, poller: told };
  const buffer = Buffer.alloc(16);
  const waited = once(told, 'newListener');
  const reading = readPort(port, buffer, 4, 8);
  await waited;
  await both.write('late');
  told.emit('readable', null);
  assert.equal((await reading).bytesRead, 4);
  assert.equal(buffer.toString('latin1', 4, 8), 'late');
  port.fd = null;
  await assert.rejects(readPort(port, buffer, 0, 8), { canceled: true });
});

test('a port that is closed while it is read is not waited for any more', async (t) => {
  const path = join(await folder(t), 'fifo');
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const both = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => both.close());
  const poller = { once: () => assert.fail('waits for a port that is closed') };
  const port = { fd: both.fd as number | null, poller };
  const reading = readPort(port, Buffer.alloc(16), 0, 16);
  port.fd = null;
  await assert.rejects(reading, { canceled: true });
});

test('a port that another program holds is busy', { skip: withoutSocat }, async (t) => {
  const path = await folder(t);
  const [here, there] = [join(path, 'gateway'), join(path, 'meter')];
  await plug(t, here, there);
  const first = opened(t, here);
  await first.owner.next('up');
  const second = opened(t, here);
  const { failure, retryMs } = await second.owner.next('waiting');
  assert.equal(failure.code, 'port-busy');
  await first.link.close();
  second.clock.advance(retryMs);
  await second.owner.next('up');
});

test('what is no serial port is said to be none', async (t) => {
  const file = join(await folder(t), 'file');
  await writeFile(file, 'no port');
  const { failure } = await opened(t, file).owner.next('waiting');
  assert.equal(failure.code, 'not-a-serial-port');
  assert.ok(failure.hint);
});

test('a serial format is data bits, parity and stop bits', () => {
  assert.deepEqual(parseSerialFormat('7E1'), { dataBits: 7, parity: 'E', stopBits: 1 });
  assert.deepEqual(parseSerialFormat('8N2'), { dataBits: 8, parity: 'N', stopBits: 2 });
  for (const text of ['9N1', '8n1', '8N', '8N1 ', '']) {
    assert.throws(
      () => parseSerialFormat(text),
      (error) => failureOf(error).code === 'bad-format',
      text,
    );
  }
});

test(
  'a line changes its rate once all is out, and makes the parity',
  { skip: withoutSocat },
  async (t) => {
    const path = await folder(t);
    const [here, there] = [join(path, 'gateway'), join(path, 'meter')];
    await plug(t, here, there);
    const gateway = opened(t, here);
    const meter = opened(t, there);
    const { stream } = await gateway.owner.next('up');
    const answering = (await meter.owner.next('up')).stream;
    stream.send(bytesFromLatin1('aa'));
    const changed = stream.setLine?.(300, '7E1');
    assert.ok(changed);
    stream.send(bytesFromLatin1('ac'));
    await meter.owner.until(() => meter.owner.received().length >= 2);
    // Two characters of ten bits at 9600 Bd: until then the adapter may still hold them.
    await turnedUntil(changed, gateway.clock);
    await meter.owner.until(() => meter.owner.received().length === 4);
    assert.deepEqual([...meter.owner.received()], [0x61, 0x61, 0xe1, 0x63]);
    assert.ok(gateway.clock.monotonic() >= 2);
    answering.send(Uint8Array.of(0xe1, 0x63));
    await gateway.owner.until(() => gateway.owner.received().length === 2);
    assert.equal(latin1FromBytes(gateway.owner.received()), 'ac');
  },
);

test(
  'a port of other bits than eight cannot make parity itself',
  { skip: withoutSocat },
  async (t) => {
    const path = await folder(t);
    const [here, there] = [join(path, 'gateway'), join(path, 'meter')];
    await plug(t, here, there);
    const { stream } = await opened(t, here, '7E1').owner.next('up');
    await assert.rejects(async () => stream.setLine?.(9600, '8N1'), { code: 'bad-format' });
  },
);

/** The clock goes on, a millisecond a turn of the loop, until something has happened. */
async function turnedUntil(happening: Promise<void>, clock: VirtualClock): Promise<void> {
  const state = { over: false };
  const over = happening.finally(() => (state.over = true));
  while (!state.over) {
    await turn();
    clock.advance(1);
  }
  await over;
}
