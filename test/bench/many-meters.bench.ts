import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Study } from './bench.ts';
import { percentile } from './figures.ts';
import { cpuSeconds, residentMiB } from './processes.ts';

const METERS = 2000;
const KIBI = 1024;

function started(file: string, ...words: readonly string[]): ChildProcess {
  return fork(join(import.meta.dirname, file), words);
}

async function told(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown];
  return message;
}

/** Two thousand meters, each asked ten times a minute, all by one process. */
const many: Study = {
  units: {
    'meters.2000.get.p50': 'ms',
    'meters.2000.get.p99': 'ms',
    'meters.2000.get.most': 'ms',
    'meters.2000.rss.each': 'KiB',
    'meters.2000.cpu.1000': 's/1000 GET',
  },
  runs: 1,
  async run() {
    const meters = started('asked-meters.ts', String(METERS));
    const asking = started('asking.ts');
    try {
      const [ports] = await Promise.all([told(meters), told(asking)]);
      const bare = residentMiB(asking);
      asking.send(ports as readonly number[]);
      await told(asking);
      const cpuBefore = cpuSeconds(asking);
      asking.send('begin');
      const latencies = (await told(asking)) as readonly number[];
      return {
        'meters.2000.get.p50': percentile(latencies, 0.5),
        'meters.2000.get.p99': percentile(latencies, 0.99),
        'meters.2000.get.most': Math.max(...latencies),
        'meters.2000.rss.each': ((residentMiB(asking) - bare) * KIBI) / METERS,
        'meters.2000.cpu.1000': ((cpuSeconds(asking) - cpuBefore) * 1000) / latencies.length,
      };
    } finally {
      meters.kill();
      asking.kill();
    }
  },
};

export const studies: readonly Study[] = [many];
