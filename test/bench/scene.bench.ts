import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Study } from './bench.ts';
import { percentile } from './figures.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { Load } from './load.ts';
import type { MetersTold } from './meters.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const SECONDS = 20;
const PER_SECOND = 333;
const METERS = 100;
/** 100 000 points, each once in five minutes; so many readings make 1 to 5 kB. */
const SCENE = {
  streams: METERS,
  count: SECONDS * PER_SECOND,
  perSecond: PER_SECOND,
  readings: [40, 190],
  stamped: true,
} as const;
/** Before it, so that code is compiled: a gateway runs for years. */
const WARMING = { ...SCENE, count: 2 * PER_SECOND, stamped: false } as const;
const LATE_MS = 1_000;
const QUIET_MS = 10_000;

interface Meters {
  readonly port: number;
  /** Answers how many telegrams a second have been sent. */
  send(load: Load): Promise<number>;
  kill(): void;
}

async function startMeters(): Promise<Meters> {
  const child = fork(join(import.meta.dirname, 'meters.ts'));
  const told = async (): Promise<MetersTold> => {
    const [first] = (await once(child, 'message')) as [MetersTold];
    return first;
  };
  const listening = await told();
  return {
    port: listening.kind === 'listening' ? listening.port : NaN,
    async send(load) {
      child.send(load);
      const sent = await told();
      return sent.kind === 'sent' ? sent.perSecond : NaN;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function scene(): Promise<Readonly<Record<string, number>>> {
  const [receiver, meters] = [await startReceiver(), await startMeters()];
  const gateway = startGateway(METERS, meters.port, receiver.url);
  try {
    await gateway.until(({ backends }) => backends[0]?.state === 'online');
    await meters.send(WARMING);
    await gateway.until(({ backends }) => backends[0]?.queued === 0);
    return await measured(receiver, meters, gateway);
  } finally {
    await gateway.kill();
    meters.kill();
    await receiver.stop();
  }
}

async function measured(
  receiver: Receiver,
  meters: Meters,
  gateway: Gateway,
): Promise<Readonly<Record<string, number>>> {
  const before = { bytes: receiver.bytes, messages: receiver.messages, cpu: gateway.cpuSeconds() };
  const perSecond = await meters.send(SCENE);
  await receiver.settled(SCENE.count, QUIET_MS);
  const latencies = Array.from(receiver.stamped.values(), ({ latencyMs }) => latencyMs);
  return {
    'scene.s19.sent': perSecond,
    'scene.s19.p50': percentile(latencies, 0.5),
    'scene.s19.p99': percentile(latencies, 0.99),
    'scene.s19.worst': percentile(latencies, 1),
    'scene.s19.late': latencies.filter((latency) => latency > LATE_MS).length,
    'scene.s19.missing': SCENE.count - latencies.length,
    'scene.s19.size': (receiver.bytes - before.bytes) / (receiver.messages - before.messages),
    'scene.s19.cpu': (gateway.cpuSeconds() - before.cpu) / SECONDS,
  };
}

/**
 * The daemon, a hundred P1 meters in a process, and a broker in another. From the telegram's way
 * into the socket to the message's arrival at the broker, reading, fsync and sending included;
 * `late` took more than a second. `cpu` is the daemon's, all its threads.
 */
export const studies: readonly Study[] = [
  {
    runs: 1,
    units: {
      'scene.s19.sent': 'messages/s',
      'scene.s19.p50': 'ms',
      'scene.s19.p99': 'ms',
      'scene.s19.worst': 'ms',
      'scene.s19.late': 'messages',
      'scene.s19.missing': 'messages',
      'scene.s19.size': 'B/message',
      'scene.s19.cpu': 'cores',
    },
    run: scene,
  },
];
