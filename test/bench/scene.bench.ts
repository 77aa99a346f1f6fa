import type { Study } from './bench.ts';
import { emptyFolder } from './filled.ts';
import { percentile } from './figures.ts';
import { startReceiver } from './receiver.ts';
import { Sender } from './senders.ts';

const SECONDS = 20;
const PER_SECOND = 333;
/** 100 000 points, each once in five minutes; so many readings make 1 to 5 kB. */
const SCENE = { streams: 100, perSecond: PER_SECOND, readings: [40, 190], stamped: true } as const;
const LATE_MS = 1_000;
const QUIET_MS = 10_000;

async function scene(): Promise<Readonly<Record<string, number>>> {
  const receiver = await startReceiver();
  const sender = new Sender(emptyFolder(), receiver.url);
  try {
    await sender.opened;
    await sender.status(({ state }) => state === 'online');
    const count = SECONDS * PER_SECOND;
    await sender.load({ ...SCENE, count });
    await receiver.settled(count, QUIET_MS);
    const latencies = Array.from(receiver.stamped.values(), ({ latencyMs }) => latencyMs);
    return {
      'scene.s19.p50': percentile(latencies, 0.5),
      'scene.s19.p99': percentile(latencies, 0.99),
      'scene.s19.worst': percentile(latencies, 1),
      'scene.s19.late': latencies.filter((latency) => latency > LATE_MS).length,
      'scene.s19.missing': count - latencies.length,
      'scene.s19.size': receiver.bytes / latencies.length,
    };
  } finally {
    await sender.kill();
    await receiver.stop();
  }
}

/** From the append to the broker's answer, the fsync included; `late` took more than a second. */
export const studies: readonly Study[] = [
  {
    runs: 1,
    units: {
      'scene.s19.p50': 'ms',
      'scene.s19.p99': 'ms',
      'scene.s19.worst': 'ms',
      'scene.s19.late': 'messages',
      'scene.s19.missing': 'messages',
      'scene.s19.size': 'B/message',
    },
    run: scene,
  },
];
