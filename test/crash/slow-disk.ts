import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPmuSimulator } from '#sim/pmu.ts';
import { nativeRuntime } from '../support/bundle.ts';
import { MAIN, openWorld } from '../support/gateway.ts';
import { keptIn } from './kept.ts';
import { recorded } from './recorder.ts';

export interface SlowDisk {
  /** Latenesses of the daemon's event loop, in milliseconds, ascending. */
  readonly delaysMs: readonly number[];
  /** Frames that the PMU has sent, and the times of those kept, in milliseconds. */
  readonly sent: number;
  readonly keptMs: readonly number[];
  readonly refused: number;
}

const RATE = 50;

/** The daemon with a PMU of 50 frames a second, for `frames`; each fsync takes `syncMs` longer. */
export async function runOnSlowDisk(syncMs: number, frames: number): Promise<SlowDisk> {
  const world = await openWorld();
  const pmu = await startPmuSimulator({ idCode: 7, rate: RATE });
  const delays = join(world.folder, 'delays.json');
  const environment = {
    ...recorded({ watch: join(world.folder, 'state'), syncMs }),
    LOOP_DELAYS: delays,
  };
  const leading = ['--import', join(import.meta.dirname, 'loop-delay.ts')];
  const runtime = { ...nativeRuntime, leading, environment };
  try {
    const link = { kind: 'tcp', host: '127.0.0.1', port: pmu.port };
    const source = { name: 'pmu', protocol: 'c37118', idCode: 7, link };
    const gateway = await world.start([source], { runtime, file: MAIN });
    await gateway.until(({ sources }) => (sources[0]?.stored ?? 0) > 0);
    gateway.signal('SIGUSR2');
    await gateway.until(() => pmu.framesSent >= frames);
    const { sources } = await gateway.until(() => true);
    await gateway.end('SIGTERM');
    return {
      delaysMs: (JSON.parse(readFileSync(delays, 'utf8')) as number[]).sort((a, b) => a - b),
      sent: pmu.framesSent,
      keptMs: keptIn(join(world.folder, 'state/store'), ['pmu']).get('pmu') ?? [],
      refused: sources[0]?.refused ?? NaN,
    };
  } finally {
    await pmu.stop();
    await world.dispose();
  }
}
