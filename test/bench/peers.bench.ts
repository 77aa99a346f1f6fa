import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { freePort, withoutMosquitto } from '../support/mosquitto.ts';
import type { Study } from './bench.ts';
import { emptyFolder } from './filled.ts';
import { stamp } from './load.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { writtenBytes } from './processes.ts';
import { Sender } from './senders.ts';

/** Each peer takes so many messages of so many bytes, evenly, while its upstream is down. */
const MESSAGES = 20_000;
const MESSAGE_BYTES = 190;
const PER_SECOND = 2_000;
/** Six readings and a stamp make a message of some 190 bytes. */
const LOAD = {
  streams: 1,
  count: MESSAGES,
  perSecond: PER_SECOND,
  readings: [6, 6],
  stamped: true,
} as const;
/** Nothing new for so long: nothing more will come. */
const QUIET_MS = 8_000;
const PROGRAM = '/usr/sbin/mosquitto';

interface Outcome {
  readonly arrived: number;
  /** By the end of the load, for each byte of a message. */
  readonly writtenPerByte: number;
}

async function arrivals(
  port: number,
  restart: () => Promise<() => Promise<void>>,
): Promise<number> {
  const end = await restart();
  const receiver: Receiver = await startReceiver(port);
  try {
    await receiver.settled(MESSAGES, QUIET_MS);
    return receiver.stamped.size;
  } finally {
    await end();
    await receiver.stop();
  }
}

/** Confirmed by `append`. */
async function ours(): Promise<Outcome> {
  const port = await freePort();
  const [folder, url] = [emptyFolder(), `mqtt://127.0.0.1:${port}`];
  const sender = new Sender(folder, url);
  await sender.opened;
  await sender.load(LOAD);
  const written = sender.writtenBytes();
  await sender.kill();
  const arrived = await arrivals(port, async () => {
    const again = new Sender(folder, url);
    await again.opened;
    return () => again.kill();
  });
  return { arrived, writtenPerByte: written / (MESSAGES * MESSAGE_BYTES) };
}

/** Confirmed by PUBACK of a mosquitto whose bridge owes them to the upstream. */
async function bridge(extra: readonly string[]): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'normd-bench-bridge-'));
  const [port, upstream] = [await freePort(), await freePort()];
  const file = join(folder, 'mosquitto.conf');
  await writeFile(file, [...configuration(folder, port, upstream), ...extra, ''].join('\n'));
  try {
    const first = await started(file, port);
    await publishAll(port);
    const written = writtenBytes(first);
    await killed(first);
    const arrived = await arrivals(upstream, async () => {
      const second = await started(file, port);
      return () => killed(second);
    });
    return { arrived, writtenPerByte: written / (MESSAGES * MESSAGE_BYTES) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its queue is unbounded, so that only its persistence is compared. */
function configuration(folder: string, port: number, upstream: number): readonly string[] {
  return [
    `user ${userInfo().username}`,
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'max_queued_messages 0',
    'persistence true',
    `persistence_location ${folder}/`,
    'connection upstream',
    `address 127.0.0.1:${upstream}`,
    'topic nd/1/# out 1',
    'cleansession false',
    'notifications false',
    'try_private false',
    'restart_timeout 1',
  ];
}

async function started(file: string, port: number): Promise<ChildProcess> {
  const child = spawn(PROGRAM, ['-c', file], { stdio: 'ignore' });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`mosquitto exited: ${child.exitCode}`);
    await pause(10);
  }
  return child;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function publishAll(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  const start = performance.now();
  const acknowledged: Promise<unknown>[] = [];
  while (acknowledged.length < MESSAGES) {
    const due = ((performance.now() - start) * PER_SECOND) / 1000;
    while (acknowledged.length < Math.min(MESSAGES, due)) {
      const payload = stamp(acknowledged.length).padEnd(MESSAGE_BYTES, '.');
      acknowledged.push(client.publishAsync('nd/1/bench/up/meter0', payload, { qos: 1 }));
    }
    await pause(1);
  }
  await Promise.all(acknowledged);
  client.end(true);
}

async function sideBySide(): Promise<Readonly<Record<string, number>>> {
  const outcomes = {
    normd: await ours(),
    mosquitto: await bridge([]),
    'mosquitto-autosave-1': await bridge(['autosave_interval 1']),
  };
  return Object.fromEntries(
    Object.entries(outcomes).flatMap(([peer, { arrived, writtenPerByte }]) => [
      [`peers.${peer}.arrived`, arrived],
      [`peers.${peer}.written`, writtenPerByte],
    ]),
  );
}

const ARRIVED = `of ${MESSAGES}`;

/**
 * The last message is acknowledged, the process is killed at once and started again, and its
 * upstream comes up: what arrives. `written` counts write calls (wchar), those to sockets included.
 */
const study: Study = {
  runs: 1,
  units: {
    'peers.normd.arrived': ARRIVED,
    'peers.normd.written': 'B/B',
    'peers.mosquitto.arrived': ARRIVED,
    'peers.mosquitto.written': 'B/B',
    'peers.mosquitto-autosave-1.arrived': ARRIVED,
    'peers.mosquitto-autosave-1.written': 'B/B',
  },
  run: sideBySide,
};

if (withoutMosquitto !== false) console.error(`peers skipped: ${withoutMosquitto}`);

export const studies: readonly Study[] = withoutMosquitto === false ? [study] : [];
